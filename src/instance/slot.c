/* SPDX-License-Identifier: MIT */
/* The life of a worker's slot, as a table of state x event -> action and next state. Callbacks of
 * channels, processes and timers only translate into events; whatever a slot does is an action in
 * this file. What concerns the whole generation is told to it (generation.h). */
#include "instance/slot.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "instance/generation.h"

#define STOP_US          (500 * US_PER_MS)
#define STAYED_US        (2 * US_PER_SEC) /* a worker that lived this long did not fail to start */
#define BACKOFF_FIRST_US (100 * US_PER_MS)
#define BACKOFF_MAX_US   (30 * US_PER_SEC)

/* clang-format off */
static const char *const state_names[] = {
    [SLOT_EMPTY]    = "empty",
    [SLOT_FORKING]  = "forking",
    [SLOT_STARTING] = "starting",
    [SLOT_READY]    = "ready",
    [SLOT_DRAINING] = "draining",
    [SLOT_STOPPING] = "stopping",
    [SLOT_BACKOFF]  = "back-off",
};
/* clang-format on */
static_assert(COUNT_OF(state_names) == SLOT_STATE_COUNT, "one name for each state");

const char *slot_state_name(enum slot_state state)
{
    assert(state >= 0 && state < SLOT_STATE_COUNT);

    return state_names[state];
}

static void set_state(struct slot *s, enum slot_state state, const char *reason)
{
    struct loop *loop = generation_loop(s->generation);

    log_debug("worker %d of generation %u: %s -> %s%s%s", s->id, generation_number(s->generation),
              slot_state_name(s->state), slot_state_name(state), *reason ? ", " : "", reason);
    loop_timer_clear(loop, &s->timer);
    if (s->state == SLOT_FORKING)
        generation_on_forked(s->generation);
    s->state = state;
    s->since_us = loop_now_us(loop);
    (void)snprintf(s->reason, sizeof(s->reason), "%s", reason);
}

static void set_deadline(struct slot *s, uint64_t after_us)
{
    struct loop *loop = generation_loop(s->generation);

    loop_timer_set(loop, &s->timer, loop_now_us(loop) + after_us);
}

static void let_go(struct slot *s)
{
    s->explained = false;
    s->kept = false;
    s->retires = false;
    s->accepting = false;
    channel_close(&s->channel);
    (void)proc_signal(&s->child.proc, SIGKILL); /* ESRCH: it has ended already */
    loop_child_done(&s->child);
}

/* Messages of the worker */

static int on_hello(struct channel *c, struct message *m)
{
    struct slot *s = container_of(c, struct slot, channel);

    if (s->child.proc.pid != 0)
        return -EPROTO;
    int r = proc_adopt(m->sender, &s->child.proc);
    if (r == 0)
        r = loop_child_watch(generation_loop(s->generation), &s->child);
    if (r < 0)
        return r;
    slot_handle(s, SLOT_HELLO, "");
    return 0;
}

static int on_keeper(struct channel *c, struct message *m)
{
    struct slot *s = container_of(c, struct slot, channel);

    if (s->kept)
        return -EPROTO;
    s->kept = true;
    return generation_on_keeper(s->generation, m->sender);
}

static int on_ready(struct channel *c, struct message *m)
{
    (void)m;
    slot_handle(container_of(c, struct slot, channel), SLOT_SERVES, "");
    return 0;
}

static int on_failed(struct channel *c, struct message *m)
{
    struct slot *s = container_of(c, struct slot, channel);

    generation_on_worker_complaint(s->generation, s->id, m->data);
    return 0; /* its end follows */
}

static int on_closed(struct channel *c, struct message *m)
{
    struct slot *s = container_of(c, struct slot, channel);

    (void)m;
    s->accepting = false;
    generation_on_worker_closed(s->generation);
    if (s->state == SLOT_READY && !s->leaves) /* by itself: somebody told it to end */
        generation_on_worker_leaves(s->generation, s);
    return 0;
}

static int on_retires(struct channel *c, struct message *m)
{
    struct slot *s = container_of(c, struct slot, channel);

    if (s->state != SLOT_READY || s->leaves || s->retires)
        return 0;
    if (m->len > 0)
        log_info("worker %d is replaced: %s", s->id, (const char *)m->data);
    s->retires = true;
    generation_on_worker_retires(s->generation);
    return 0;
}

static int on_loyal(struct channel *c, struct message *m)
{
    struct slot *s = container_of(c, struct slot, channel);

    (void)m;
    generation_on_loyal(s->generation);
    return 0;
}

static int on_reload(struct channel *c, struct message *m)
{
    struct slot *s = container_of(c, struct slot, channel);

    (void)m;
    generation_on_reload_request(s->generation, s->id);
    return 0;
}

static int on_warm(struct channel *c, struct message *m)
{
    struct slot *s = container_of(c, struct slot, channel);

    (void)m;
    if (s->state == SLOT_READY && !s->leaves)
        generation_on_worker_warm(s->generation, s);
    return 0;
}

static int on_sources(struct channel *c, struct message *m)
{
    generation_on_sources(container_of(c, struct slot, channel)->generation, m->data);
    return 0;
}

/* clang-format off */
static const struct channel_rule worker_rules[FAMILY_TYPE_COUNT] = {
    [FAMILY_HELLO]         = { .handler = on_hello },
    [FAMILY_KEEPER]        = { .handler = on_keeper },
    [FAMILY_READY]         = { .handler = on_ready },
    [FAMILY_WORKER_FAILED] = { .handler = on_failed },
    [FAMILY_RETIRES]       = { .handler = on_retires },
    [FAMILY_CLOSED]        = { .handler = on_closed },
    [FAMILY_LOYAL]         = { .handler = on_loyal },
    [FAMILY_RELOAD]        = { .handler = on_reload },
    [FAMILY_WARM]          = { .handler = on_warm },
    [FAMILY_SOURCES]       = { .handler = on_sources },
};
/* clang-format on */

static void on_channel_closed(struct channel *c, int error)
{
    struct slot *s = container_of(c, struct slot, channel);

    if (error < 0)
        (void)log_errno(LOG_ERR, error, "worker %d: its channel is broken; it is killed", s->id);
    /* A worker whose process we know is mourned when the process has ended. */
    if (s->child.proc.pid == 0)
        slot_handle(s, SLOT_GONE, "ended before it started");
    else if (error < 0)
        (void)proc_signal(&s->child.proc, SIGKILL);
}

static void on_child_end(struct loop_child *child, const siginfo_t *end)
{
    struct slot *s = container_of(child, struct slot, child);
    char text[96];

    channel_drain(&s->channel); /* last words */
    if (end->si_code == CLD_EXITED && end->si_status == 0)
        s->explained = true;
    slot_handle(s, SLOT_GONE, proc_describe_end(end, text, sizeof(text)));
}

static void on_timer(struct loop_timer *t)
{
    slot_handle(container_of(t, struct slot, timer), SLOT_TIMEOUT, "");
}

/* Actions */

typedef void slot_action_fn(struct slot *s, const char *reason);

/* The first replacement comes at once; each further failure in a row doubles the wait. */
static uint64_t backoff_us(const struct slot *s)
{
    if (s->n_failures <= 1)
        return 0;
    unsigned doublings = MIN(s->n_failures - 2, 16U);
    return MIN(BACKOFF_FIRST_US << doublings, BACKOFF_MAX_US);
}

static void do_fork(struct slot *s, const char *reason)
{
    int fds[2] = {-EBADF, -EBADF};
    char name[32];

    (void)snprintf(name, sizeof(name), "worker %d", s->id);
    _cleanup_close_ int output_fd = generation_capture(s->generation, name);
    int r = message_socketpair(fds);
    if (r == 0)
        r = channel_open(&s->channel, generation_loop(s->generation), fds[0], worker_rules,
                         COUNT_OF(worker_rules), on_channel_closed);
    if (r == 0)
        r = generation_fork(s->generation, s->id, fds[1], output_fd, &s->child.proc);
    if (fds[1] >= 0)
        (void)close(fds[1]);
    if (r == 0 && s->child.proc.pid != 0)
        r = loop_child_watch(generation_loop(s->generation), &s->child);
    if (r == -ESRCH) { /* the zygote is being replaced; SLOT_START comes when it is there */
        let_go(s);
        set_state(s, SLOT_BACKOFF, "waits for the zygote");
        return;
    }
    if (r == -EBUSY) {
        let_go(s);
        set_state(s, SLOT_BACKOFF, "the zygote is busy");
        set_deadline(s, BACKOFF_FIRST_US);
        return;
    }
    if (r < 0) {
        (void)log_errno(LOG_ERR, r, "worker %d: cannot be started", s->id);
        let_go(s);
        set_state(s, SLOT_BACKOFF, "cannot be started");
        if (!generation_on_worker_failed(s->generation, s->id, strerror(-r)))
            return; /* the generation is given up */
        s->n_failures++;
        set_deadline(s, MAX(backoff_us(s), BACKOFF_FIRST_US));
        return;
    }
    set_state(s, s->child.proc.pid != 0 ? SLOT_STARTING : SLOT_FORKING, reason);
    set_deadline(s, generation_start_timeout_us(s->generation));
}

static void do_hello(struct slot *s, const char *reason)
{
    uint64_t deadline = s->timer.at_us;

    set_state(s, SLOT_STARTING, reason);
    loop_timer_set(generation_loop(s->generation), &s->timer, deadline);
}

static void do_serve(struct slot *s, const char *reason)
{
    const struct message m = {.type = FAMILY_SERVE};

    set_state(s, SLOT_READY, reason);
    if (message_send(s->channel.io.fd, &m) < 0)
        (void)proc_signal(&s->child.proc, SIGKILL);
    s->accepting = true;
    generation_on_worker_ready(s->generation, s->id);
}

static void do_empty(struct slot *s, const char *reason)
{
    let_go(s);
    set_state(s, SLOT_EMPTY, reason);
    generation_on_worker_ended(s->generation);
}

/* A worker that was finishing has ended. */
static void do_finish(struct slot *s, const char *reason)
{
    if (!s->explained)
        log_warning("worker %d, which was finishing, %s", s->id, reason);
    do_empty(s, reason);
}

/* A worker that was wanted has ended: the next one comes at once, unless this one died young. */
static void do_replace(struct slot *s, const char *reason)
{
    if (s->leaves) {
        do_finish(s, reason);
        return;
    }
    uint64_t lived_us = loop_now_us(generation_loop(s->generation)) - s->since_us;
    bool failed = s->state != SLOT_READY || lived_us < STAYED_US;

    log_warning("worker %d %s%s", s->id, s->state == SLOT_READY ? "" : "did not start: ", reason);
    let_go(s);
    bool was_ready = s->state == SLOT_READY;
    set_state(s, SLOT_BACKOFF, reason);
    if (!was_ready && !generation_on_worker_failed(s->generation, s->id, reason))
        return; /* the generation is given up */

    s->n_failures = failed ? s->n_failures + 1 : 0;
    set_deadline(s, backoff_us(s));
}

static void do_retry(struct slot *s, const char *reason)
{
    (void)reason;
    do_fork(s, "replaces the last one");
}

static void do_give_up(struct slot *s, const char *reason)
{
    (void)reason;
    bool forked = s->state != SLOT_FORKING;

    log_error("worker %d did not become ready within %g s: %s is killed", s->id,
              (double)generation_start_timeout_us(s->generation) / US_PER_SEC,
              forked ? "it" : "the zygote");
    if (!forked)
        generation_on_fork_timeout(s->generation);
    do_replace(s, "start timed out");
}

/* Says how to finish; a worker that finishes already is told again when it has become urgent. */
static void do_tell(struct slot *s, const char *reason)
{
    const struct message m = {.type = FAMILY_DRAIN, .value = s->drain};

    (void)reason;
    if (message_send(s->channel.io.fd, &m) < 0)
        (void)proc_signal(&s->child.proc, SIGKILL); /* deaf: it could never be told anything */
}

static void do_drain(struct slot *s, const char *reason)
{
    set_state(s, SLOT_DRAINING, reason);
    set_deadline(s, generation_mercy_us(s->generation));
    do_tell(s, reason);
}

/* Tells a worker to end, for which it gets a moment; one that has not by then is killed. */
static void end(struct slot *s, enum family_type how, const char *reason)
{
    const struct message m = {.type = how};

    set_state(s, SLOT_STOPPING, reason);
    set_deadline(s, STOP_US);
    if (message_send(s->channel.io.fd, &m) < 0)
        (void)proc_signal(&s->child.proc, SIGKILL);
}

/* The log of the worker says which requests are lost and where they hang. */
static void do_abandon(struct slot *s, const char *reason)
{
    (void)reason;
    log_warning("worker %d (pid %d) did not finish within %g s: it is killed", s->id,
                (int)slot_pid(s), (double)generation_mercy_us(s->generation) / US_PER_SEC);
    end(s, FAMILY_GIVE_UP, "did not finish");
}

/* Exit handlers run. */
static void do_stop(struct slot *s, const char *reason)
{
    end(s, FAMILY_STOP, reason);
}

static void do_kill(struct slot *s, const char *reason)
{
    (void)reason;
    (void)proc_signal(&s->child.proc, SIGKILL);
}

/* clang-format off */
static slot_action_fn *const table[SLOT_STATE_COUNT][SLOT_EVENT_COUNT] = {
    [SLOT_EMPTY]    = { [SLOT_START]   = do_fork },
    [SLOT_FORKING]  = { [SLOT_HELLO]   = do_hello,
                        [SLOT_GONE]    = do_replace,
                        [SLOT_DRAIN]   = do_empty,
                        [SLOT_STOP]    = do_empty,
                        [SLOT_TIMEOUT] = do_give_up },
    [SLOT_STARTING] = { [SLOT_SERVES]  = do_serve,
                        [SLOT_GONE]    = do_replace,
                        [SLOT_DRAIN]   = do_empty,
                        [SLOT_STOP]    = do_empty,
                        [SLOT_TIMEOUT] = do_give_up },
    [SLOT_READY]    = { [SLOT_GONE]    = do_replace,
                        [SLOT_DRAIN]   = do_drain,
                        [SLOT_STOP]    = do_stop },
    [SLOT_DRAINING] = { [SLOT_GONE]    = do_finish,
                        [SLOT_DRAIN]   = do_tell,
                        [SLOT_STOP]    = do_stop,
                        [SLOT_TIMEOUT] = do_abandon },
    [SLOT_STOPPING] = { [SLOT_GONE]    = do_empty,
                        [SLOT_TIMEOUT] = do_kill },
    [SLOT_BACKOFF]  = { [SLOT_START]   = do_retry,
                        [SLOT_DRAIN]   = do_empty,
                        [SLOT_STOP]    = do_empty,
                        [SLOT_TIMEOUT] = do_retry },
};
/* clang-format on */

void slot_handle(struct slot *s, enum slot_event event, const char *reason)
{
    slot_action_fn *action = table[s->state][event];

    /* What the table does not list has no meaning in this state: a READY of a worker that is being
     * drained, say. */
    if (action)
        action(s, reason);
}

void slot_init(struct slot *s, struct generation *g, int id)
{
    *s = (struct slot){.id = id, .generation = g, .channel.io.fd = -1, .timer.fn = on_timer};
    list_init(&s->link);
    loop_child_init(&s->child, on_child_end);
}

void slot_done(struct slot *s)
{
    loop_timer_clear(generation_loop(s->generation), &s->timer);
    let_go(s);
}
