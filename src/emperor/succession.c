/* SPDX-License-Identifier: MIT */
/* One succession: the record of the successor is made from the loop, where nobody walks the table
 * of vassals, and the processes are exchanged from the loop as well, where none of their channels
 * is being read. What becomes of the vassal meanwhile ends it: a successor that nobody waits for is
 * killed, and the vassal is not started before it is gone, for it may have its sockets. Used by
 * vassal.c and court.c. */
#include "emperor/succession.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "emperor/vassal-base.h"
#include "emperor/vassal-files.h"
#include "emperor/vassal-process.h"
#include "ipc/message.h"
#include "ipc/status.h"

struct succession {
    struct court *court;
    struct vassal *vassal;                 /* NULL: gone */
    struct vassal *successor;              /* NULL: not there yet; later it has what ran before */
    int give_fd, take_fd;                  /* the channel of the two, until they have it */
    uint32_t base_serial, base_generation; /* to which it leads */
    bool exchanged;
    bool dropped; /* the successor is of no use any more */
    bool again;   /* then another one begins */
    struct loop_task task;
    struct loop_timer timer;
};

static void close_channel(struct succession *s)
{
    closep(&s->give_fd);
    closep(&s->take_fd);
    s->give_fd = s->take_fd = -1;
}

static void succession_free(struct succession *s)
{
    if (s->vassal)
        s->vassal->succession = NULL;
    if (s->successor)
        s->successor->succeeds = NULL;
    loop_task_cancel(&s->task);
    loop_timer_clear(s->court->realm.loop, &s->timer);
    close_channel(s);
    free(s);
}

/* The successor, if there is one, has to end; the rest follows then. */
static void drop(struct succession *s, const char *why)
{
    struct vassal *successor = s->successor;

    s->dropped = true;
    loop_timer_clear(s->court->realm.loop, &s->timer);
    close_channel(s);
    if (successor && (vassal_lives(successor) || successor->state != VASSAL_STOPPING))
        vassal_handle(successor, VASSAL_CONDEMNED, "%s", why);
}

/* The vassal stays as it is, but for what it is to load again, and that is not tried again with
 * what its base has now: if it came so far as to be tried. */
static void give_up(struct succession *s, const char *why)
{
    struct vassal *v = s->vassal;
    char reason[192];

    (void)snprintf(reason, sizeof(reason), "%s", why);
    log_warning("vassal %s: no other one takes its place, from generation %u of its base: %s; it "
                "goes on",
                v->id, s->base_generation, reason);
    if (!s->successor || s->successor->state != VASSAL_WAITING)
        v->failed_serial = s->base_serial;
    v->life.kept = true;
    drop(s, "it does not take the place of another one");
    if (v->succession && !v->succession->successor)
        succession_free(v->succession);
    vassal_handle(v, v->owes_reload ? VASSAL_RENEWED : VASSAL_SAID_KEPT,
                  "no other one takes its place: %s", reason);
}

static void on_timer(struct loop_timer *t)
{
    give_up(container_of(t, struct succession, timer), "it is not ready in time");
}

static int make_successor(struct succession *s)
{
    struct vassal *v = s->vassal;
    struct vassal *successor = NULL;
    int fds[2];
    int r = message_socketpair(fds);

    if (r < 0)
        return r;
    s->give_fd = fds[0];
    s->take_fd = fds[1];
    r = court_add_beside(s->court, v, "successor", &successor);
    if (r < 0)
        return r;
    s->successor = successor;
    successor->succeeds = s;
    successor->elder = v;
    return 0;
}

static void start(struct succession *s)
{
    struct vassal *v = s->vassal;
    uint64_t limit_us = v->realm->conf->start_timeout_us;
    int r = make_successor(s);

    if (r < 0) {
        give_up(s, strerror(-r)); /* frees it */
        return;
    }
    if (limit_us > 0)
        loop_timer_set(v->realm->loop, &s->timer, clock_now_us() + limit_us);
    turn_end(&v->turn); /* it is the successor's now */
    court_dismiss(s->court, v, "whom it reinforces is succeeded by another one");
    struct vassal *successor = s->successor;
    vassal_handle(successor, VASSAL_ADDED, "vassal %s has a newer base", v->id);
    if (successor->succeeds && successor->state == VASSAL_WAITING && list_empty(&successor->awaits))
        court_take_turn(successor);
}

/* What the configuration includes is what the new process has read. Returns whether that is still
 * the same. */
static bool exchange_files(struct vassal *v, struct vassal *successor)
{
    vassal_reads(v, NULL);
    v->files = TAKE_PTR(successor->files);
    v->n_files = TAKE(successor->n_files, 0);
    return vassal_watch_files(v);
}

/* What ran before has to end, which it has already if it could not be taken over. */
static void retire(struct vassal *before, const char *why)
{
    vassal_handle(before, VASSAL_REMOVED, "%s", why);
    if (!vassal_runs(before))
        vassal_handle(before, VASSAL_ENDED, "it cannot be taken over");
}

static void exchange(struct succession *s)
{
    struct vassal *v = s->vassal, *successor = s->successor;
    pid_t before = v->proc.pid;
    int r = vassal_exchange(v, successor);

    s->exchanged = true;
    loop_timer_clear(s->court->realm.loop, &s->timer);
    bool same_files = exchange_files(v, successor);
    if (r < 0) {
        vassal_handle(v, VASSAL_FAILED, "cannot be succeeded: %s", strerror(-r));
        retire(successor, "it has lost its vassal");
        return;
    }
    v->last_run = successor->last_run;
    v->last_ready = time(NULL);
    vassal_handle(v, VASSAL_SAID_READY,
                  "process %d has taken the place of process %d, from generation %u of its base",
                  (int)v->proc.pid, (int)before, v->life.base_generation);
    if (!same_files)
        vassal_handle(v, VASSAL_RENEWED, "a file that its configuration includes changed");
    retire(successor, "another process has taken its place");
}

static void on_task(struct loop_task *t)
{
    struct succession *s = container_of(t, struct succession, task);

    if (!s->successor)
        start(s);
    else if (!s->dropped && s->vassal && s->vassal->state == VASSAL_RELOADING &&
             s->successor->state == VASSAL_READY)
        exchange(s);
}

int succession_begin(struct court *c, struct vassal *v)
{
    const struct vassal *base = vassal_base_next(v);
    struct succession *s = calloc(1, sizeof(*s));

    assert(!v->succession && base);
    if (!s)
        return -ENOMEM;
    *s = (struct succession){
        .court = c,
        .vassal = v,
        .give_fd = -1,
        .take_fd = -1,
        .base_serial = base->offers_serial,
        .base_generation = base->offers_generation,
        .timer.fn = on_timer,
    };
    loop_task_init(&s->task, on_task);
    loop_task_queue(c->realm.loop, &s->task);
    v->succession = s;
    return 0;
}

bool succession_postpone(struct vassal *v, bool newer)
{
    struct succession *s = v->succession;

    if (!s || (s->exchanged && !newer))
        return false;
    if (!s->successor)
        return true; /* it begins only now */
    s->again = true;
    if (!s->exchanged && !s->dropped)
        drop(s, "the one whose place it was to take has changed");
    return true;
}

void succession_hear(struct vassal *v, enum vassal_state next)
{
    struct succession *s = v->succession;

    if (!s || next == VASSAL_RELOADING)
        return;
    s->again = false;
    if (!s->successor)
        succession_free(s);
    else if (!s->exchanged && !s->dropped)
        drop(s, "the one whose place it was to take does not need it");
}

/* That it has begun to serve does not count: the one of before has to have heard of it, which is so
 * when the successor says that it is ready. */
void succession_follow(struct vassal *successor)
{
    struct succession *s = successor->succeeds;
    bool ready = successor->state == VASSAL_READY;

    if (!s || s->exchanged || s->dropped || (ready && successor->life.ready_mono_us == 0))
        return;
    if (ready)
        loop_task_queue(s->court->realm.loop, &s->task);
    else if (successor->state != VASSAL_NEW && successor->state != VASSAL_WAITING &&
             successor->state != VASSAL_STARTING)
        give_up(s, successor->reason);
}

void succession_born(struct vassal *successor)
{
    struct succession *s = successor->succeeds;

    if (!s || s->dropped)
        return;
    const struct message m = {.type = STATUS_GIVE_WAY, .fds = {s->give_fd}, .n_fds = 1};
    int r = message_send(s->vassal->status.io.fd, &m);
    close_channel(s);
    if (r < 0)
        give_up(s, "it cannot be told");
}

bool succession_holds(struct vassal *v, char *text, size_t size)
{
    if (v->succession && v->succession->successor)
        drop(v->succession, "the one whose place it was in is started anew");
    if (!v->succession) /* it may have gone at once */
        return false;
    (void)snprintf(text, size, "waits for the end of what ran in its place");
    return true;
}

bool succession_is_awaited(const struct vassal *v)
{
    return v->state == VASSAL_STOPPING && v->succession && v->succession->successor;
}

int succession_fd(const struct vassal *successor)
{
    return successor->succeeds ? successor->succeeds->take_fd : -1;
}

static void lose_successor(struct succession *s)
{
    struct vassal *v = s->vassal;
    bool again = s->again;

    succession_free(s);
    if (v && again && v->state == VASSAL_RELOADING)
        vassal_reload(v);
    else if (v && !list_empty(&v->awaits))
        vassal_handle(v, VASSAL_BASE_CAME, "what ran in its place has ended");
    else if (v && !vassal_lives(v) &&
             (v->state == VASSAL_STOPPING || v->state == VASSAL_RESTARTING))
        vassal_handle(v, VASSAL_ENDED, "what ran in its place has ended as well");
}

void succession_lose(struct vassal *gone)
{
    struct succession *s = gone->succession;

    if (gone->succeeds)
        lose_successor(gone->succeeds);
    if (!s)
        return;
    s->vassal = NULL;
    gone->succession = NULL;
    if (s->successor)
        s->successor->elder = NULL;
    else
        succession_free(s);
}

void succession_restore(struct vassal *v, struct vassal *successor)
{
    struct succession *s = calloc(1, sizeof(*s));

    successor->restored = false; /* no monitor tells of it */
    successor->elder = v;
    if (s) {
        *s = (struct succession){
            .court = container_of(v->realm, struct court, realm),
            .vassal = v,
            .successor = successor,
            .give_fd = -1,
            .take_fd = -1,
            .exchanged = successor->state == VASSAL_STOPPING,
            .timer.fn = on_timer,
        };
        loop_task_init(&s->task, on_task);
        v->succession = s;
        successor->succeeds = s;
        if (s->exchanged)
            return;
        s->dropped = true;
    }
    vassal_handle(successor, VASSAL_CONDEMNED, "the Emperor is another program now");
}
