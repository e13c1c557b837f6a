/* SPDX-License-Identifier: MIT */
/* Generations: starting the zygote and the workers of one configuration load, knowing when all of
 * them serve, and ending them. The master decides which generation serves; this file only reports.
 */
#include "instance/generation.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/strv.h"
#include "instance/replace.h"

/* clang-format off */
static const char *const state_names[] = {
    [GENERATION_LOADING]  = "loading",
    [GENERATION_STARTING] = "starting",
    [GENERATION_SERVING]  = "serving",
    [GENERATION_FAILED]   = "failed",
    [GENERATION_DRAINING] = "draining",
    [GENERATION_ENDED]    = "ended",
};
/* clang-format on */
static_assert(COUNT_OF(state_names) == GENERATION_STATE_COUNT, "one name for each state");

const char *generation_state_name(enum generation_state state)
{
    assert(state < GENERATION_STATE_COUNT);

    return state_names[state];
}

static void set_state(struct generation *g, enum generation_state state)
{
    log_debug("generation %u: %s -> %s", g->number, generation_state_name(g->state),
              generation_state_name(state));
    g->state = state;
    g->owner->on_change(g);
}

/* True if no process of it is left: zygote and keepers, too, have the listening sockets open. */
static bool all_empty(const struct generation *g)
{
    if (zygote_exists(g->zygote) || zygote_exists(g->heir) || !keepers_empty(&g->keepers))
        return false;
    FOR_EACH_SLOT (s, g)
        if (s->state != SLOT_EMPTY)
            return false;
    return true;
}

static void end_if_empty(struct generation *g)
{
    if (g->state == GENERATION_DRAINING && all_empty(g))
        set_state(g, GENERATION_ENDED);
}

int generation_add_slot(struct generation *g, int id, struct slot **ret)
{
    struct slot *s = malloc(sizeof(*s));

    if (!s)
        return -ENOMEM;
    slot_init(s, g, id);
    list_append(&g->slots, &s->link);
    *ret = s;
    return 0;
}

/* Slots for the workers up to @n that are not there yet. */
static int add_slots(struct generation *g, size_t n)
{
    struct slot *s = NULL;
    int r = 0;

    while (g->n_slots < n && r == 0) {
        r = generation_add_slot(g, (int)g->n_slots + 1, &s);
        g->n_slots += r == 0;
    }
    return r;
}

static void remove_slot(struct slot *s)
{
    list_remove(&s->link);
    slot_done(s);
    free(s);
}

static void on_sweep(struct loop_task *t)
{
    struct generation *g = container_of(t, struct generation, sweep);

    FOR_EACH_SLOT (s, g)
        if (s->leaves && s->state == SLOT_EMPTY) {
            if ((size_t)s->id > g->n_slots)
                scoreboard_forget(&g->board, s->id);
            remove_slot(s);
        }
    replace_step(g);
}

static void on_keeper_end(void *data)
{
    end_if_empty(data);
}

/* A master that has all of the application from its base can fork a worker as well as a zygote
 * could, whose memory would only come on top, unless there is something to be shared by several. */
static bool is_lazy(const struct registry *r, const struct warm *warm)
{
    bool loads = r->app.mounts.n_items > 0;

    for (size_t i = 0; i < COUNT_OF(r->plugin_wanted); i++)
        loads = loads || r->plugin_wanted[i];
    return r->instance.lazy_apps ||
           (warm && !loads && r->instance.processes == 1 && r->worker.refork_after == 0);
}

int generation_new(const struct generation_start *start, struct registry *registry,
                   const struct listeners *listeners, struct generation **ret)
{
    struct generation *g = calloc(1, sizeof(*g));

    if (!g)
        return -ENOMEM;
    *g = (struct generation){
        .number = start->number,
        .loop = start->loop,
        .owner = start->owner,
        .owner_data = start->owner_data,
        .name = registry->conf.name,
        .master = getpid(),
        .queue = start->queue,
        .logger = start->logger,
        .warm = start->warm,
    };
    list_init(&g->link);
    list_init(&g->slots);
    loop_task_init(&g->sweep, on_sweep);
    keepers_init(&g->keepers, g->loop, on_keeper_end, g);
    watchdog_init(&g->watchdog, g);
    int r = zygote_new(g, &g->zygote);
    if (r == 0)
        r = scoreboard_open(&g->board, start->n_workers);
    if (r == 0)
        r = add_slots(g, start->n_workers);
    if (r < 0) {
        generation_free(g);
        return r;
    }
    g->registry = registry;
    g->lazy = is_lazy(registry, g->warm);
    g->listeners = *listeners;
    *ret = g;
    return 0;
}

struct generation *generation_free(struct generation *g)
{
    if (!g)
        return NULL;
    g->heir = zygote_free(g->heir);
    g->zygote = zygote_free(g->zygote);
    watchdog_stop(&g->watchdog);
    FOR_EACH_SLOT (s, g)
        remove_slot(s);
    loop_task_cancel(&g->sweep);
    keepers_done(&g->keepers);
    listeners_release(&g->listeners);
    registry_free(g->registry);
    scoreboard_close(&g->board);
    strv_done(&g->sources);
    free(g);
    return NULL;
}

struct loop *generation_loop(const struct generation *g)
{
    return g->loop;
}

uint32_t generation_number(const struct generation *g)
{
    return g->number;
}

uint64_t generation_start_timeout_us(const struct generation *g)
{
    return g->registry->instance.start_timeout_us;
}

uint64_t generation_mercy_us(const struct generation *g)
{
    return g->registry->instance.reload_mercy_us;
}

static void fail(struct generation *g)
{
    set_state(g, GENERATION_FAILED);
}

static void start_workers(struct generation *g)
{
    FOR_EACH_SLOT (s, g)
        if (g->state != GENERATION_FAILED && !s->leaves)
            slot_handle(s, SLOT_START, "");
}

void generation_start(struct generation *g)
{
    watchdog_start(&g->watchdog);
    if (g->lazy) {
        g->state = GENERATION_STARTING;
        start_workers(g);
        return;
    }
    int r = zygote_start(g->zygote);
    if (r < 0) {
        generation_set_cause(g, strerror(-r));
        fail(g);
    }
}

int generation_capture(const struct generation *g, const char *name)
{
    int fd = logger_capture(g->logger, name);

    if (fd < -1)
        (void)log_errno(LOG_WARNING, fd, "what %s prints is not in the log", name);
    return fd;
}

struct child_start generation_child_start(const struct generation *g, int worker_id, int channel_fd,
                                          int output_fd)
{
    return (struct child_start){
        .registry = g->registry,
        .listeners = &g->listeners,
        .name = g->name,
        .generation = g->number,
        .master = g->master,
        .channel_fd = channel_fd,
        .output_fd = output_fd,
        .worker_id = worker_id,
        .queue = g->queue,
        .logger = g->logger,
        .board = &g->board,
        .warm = g->warm,
    };
}

int generation_fork(struct generation *g, int id, int fd, int output_fd, struct proc *ret)
{
    if (!g->lazy)
        return zygote_fork(g->zygote, id, fd, output_fd);

    int r = proc_fork(ret);
    if (r != 0)
        return r < 0 ? r : 0;
    const struct child_start start = generation_child_start(g, id, fd, output_fd);
    lazy_worker_main(&start);
}

void generation_show_stacks(const struct generation *g)
{
    const struct message m = {.type = FAMILY_SHOW};

    FOR_EACH_SLOT (s, g)
        if ((s->state == SLOT_READY || s->state == SLOT_DRAINING) &&
            message_send(s->channel.io.fd, &m) < 0)
            log_warning("worker %d does not listen", s->id);
}

static void stop_zygotes(struct generation *g)
{
    g->heir = zygote_free(g->heir);
    zygote_stop(g->zygote);
}

void generation_drain(struct generation *g, enum family_drain how)
{
    g->state = GENERATION_DRAINING;
    stop_zygotes(g);
    FOR_EACH_SLOT (s, g) {
        s->drain = how;
        slot_handle(s, SLOT_DRAIN, "told to finish");
    }
    listeners_release(&g->listeners);
    end_if_empty(g);
}

void generation_stop(struct generation *g)
{
    g->state = GENERATION_DRAINING;
    stop_zygotes(g);
    keepers_kill(&g->keepers);
    FOR_EACH_SLOT (s, g)
        slot_handle(s, SLOT_STOP, "told to end");
    listeners_release(&g->listeners);
    end_if_empty(g);
}

static size_t count_ready(const struct generation *g)
{
    size_t n = 0;

    FOR_EACH_SLOT (s, g)
        n += s->state == SLOT_READY && !s->leaves;
    return n;
}

/* All that are wanted are ready. */
static void serve_if_ready(struct generation *g)
{
    if (g->state == GENERATION_STARTING && g->n_ready == g->n_slots)
        set_state(g, GENERATION_SERVING);
}

/* Workers can be started. */
static bool is_loaded(const struct generation *g)
{
    return g->state == GENERATION_STARTING || g->state == GENERATION_SERVING;
}

static int resize(struct generation *g, size_t n, enum family_drain how)
{
    size_t before = g->n_slots;
    int r = add_slots(g, n);

    g->n_slots = MIN(g->n_slots, n);
    scoreboard_resize(&g->board, g->n_slots);
    FOR_EACH_SLOT (s, g) {
        if ((size_t)s->id > g->n_slots && !s->leaves) {
            s->leaves = true;
            s->drain = how;
            slot_handle(s, SLOT_DRAIN, "one worker less is wanted");
        } else if ((size_t)s->id > before && !s->leaves && is_loaded(g)) {
            slot_handle(s, SLOT_START, "one worker more is wanted");
        }
    }
    g->n_ready = count_ready(g);
    serve_if_ready(g);
    loop_task_queue(g->loop, &g->sweep);
    return r;
}

int generation_resize(struct generation *g, size_t n)
{
    return resize(g, n, FAMILY_DRAIN_SUCCEEDED);
}

void generation_rest(struct generation *g)
{
    (void)!resize(g, 0, FAMILY_DRAIN_LAST); /* fewer is always possible */
}

/* A worker that cannot start, and waits for its next try, is not waited for. */
bool generation_is_quiet(const struct generation *g, uint64_t *ret_since_us)
{
    uint64_t latest_us = 0;

    FOR_EACH_SLOT (s, g) {
        if (s->state == SLOT_EMPTY || s->state == SLOT_BACKOFF)
            continue;
        uint64_t quiet_us = atomic_load_explicit(&scoreboard_slot(&g->board, s->id)->quiet_us,
                                                 memory_order_relaxed);
        if (s->state != SLOT_READY || quiet_us == 0)
            return false;
        latest_us = MAX(latest_us, quiet_us);
    }
    *ret_since_us = latest_us;
    return true;
}

bool generation_has_pulse(const struct generation *g, uint64_t since_us)
{
    FOR_EACH_SLOT (s, g)
        if (s->state == SLOT_READY &&
            atomic_load_explicit(&scoreboard_slot(&g->board, s->id)->pulse_us,
                                 memory_order_relaxed) >= since_us)
            return true;
    return false;
}

bool generation_is_deserted(const struct generation *g)
{
    FOR_EACH_SLOT (s, g)
        if (s->state != SLOT_EMPTY)
            return false;
    return true;
}

void generation_count(const struct generation *g, unsigned *ret_n_ready, unsigned *ret_n_idle)
{
    *ret_n_ready = *ret_n_idle = 0;
    FOR_EACH_SLOT (s, g) {
        if (s->state != SLOT_READY || s->leaves)
            continue;
        ++*ret_n_ready;
        *ret_n_idle +=
            atomic_load_explicit(&scoreboard_slot(&g->board, s->id)->idle, memory_order_relaxed);
    }
}

unsigned generation_count_waiting(const struct generation *g)
{
    int64_t n_queued = atomic_load(&g->queue->board->n_waiting);

    return listeners_backlog(&g->listeners) + (unsigned)MAX(n_queued, (int64_t)0);
}

void generation_sleep(struct generation *g)
{
    stop_zygotes(g);
    (void)!generation_resize(g, 0); /* fewer is always possible */
}

void generation_set_cause(struct generation *g, const char *text)
{
    if (g->cause[0] == '\0')
        (void)snprintf(g->cause, sizeof(g->cause), "%s", text);
}

void generation_on_worker_complaint(struct generation *g, int id, const char *text)
{
    generation_set_cause(g, text);
    if (g->state != GENERATION_STARTING) /* where the cause is reported as a whole */
        log_error("worker %d cannot start: %s", id, text);
}

static void add_source(struct generation *g, const char *path, const struct timespec *mtime)
{
    if (strv_contains(&g->sources, path))
        return;
    if (strv_append(&g->sources, path) < 0)
        (void)log_errno(LOG_WARNING, ENOMEM, "changes of %s will not be seen", path);
    else
        g->owner->on_source(g, path, mtime);
}

void generation_on_sources(struct generation *g, const char *lines)
{
    char path[PATH_MAX];

    for (const char *end = NULL; (end = strchr(lines, '\n')); lines = end + 1) {
        struct timespec mtime = {0};
        char *at = NULL;

        mtime.tv_sec = strtoll(lines, &at, 10);
        if (*at == '.')
            mtime.tv_nsec = strtol(at + 1, &at, 10);
        if (*at != ' ' || end - at < 2 || (size_t)(end - at) > sizeof(path))
            continue; /* no line of ours */
        size_t len = (size_t)(end - at) - 1;
        memcpy(path, at + 1, len);
        path[len] = '\0';
        add_source(g, path, &mtime);
    }
}

int generation_on_keeper(struct generation *g, pid_t pid)
{
    return generation_has_pid(g, pid) ? -EPROTO : keepers_add(&g->keepers, pid);
}

void generation_on_worker_ready(struct generation *g, int id)
{
    g->n_ready = count_ready(g);
    FOR_EACH_SLOT (s, g)
        if (s->leaves && s->id == id)
            slot_handle(s, SLOT_DRAIN, "replaced");
    serve_if_ready(g);
    generation_on_worker_retires(g); /* it may be of before a renewal */
}

bool generation_on_worker_failed(struct generation *g, int id, const char *reason)
{
    char text[160];

    if (g->state != GENERATION_STARTING)
        return true;
    (void)snprintf(text, sizeof(text), "worker %d: %s", id, reason);
    generation_set_cause(g, text);
    fail(g);
    return false;
}

void generation_on_worker_ended(struct generation *g)
{
    g->n_ready = count_ready(g);
    loop_task_queue(g->loop, &g->sweep);
    generation_on_worker_retires(g); /* others have waited for it */
    generation_on_worker_closed(g);
    end_if_empty(g);
}

bool generation_accepts(const struct generation *g)
{
    FOR_EACH_SLOT (s, g)
        if (s->accepting)
            return true;
    return false;
}

void generation_on_worker_closed(struct generation *g)
{
    if (!generation_accepts(g))
        g->owner->on_change(g);
}

void generation_on_loyal(struct generation *g)
{
    g->owner->on_loyal(g);
}

void generation_on_reload_request(struct generation *g, int worker)
{
    g->owner->on_reload_request(g, worker);
}

/* Zygotes */

void generation_on_loaded(struct generation *g, const struct zygote *z)
{
    if (z == g->heir) {
        loop_task_queue(g->loop, &g->sweep); /* it takes over */
        return;
    }
    if (g->state == GENERATION_LOADING)
        set_state(g, GENERATION_STARTING);
    start_workers(g);  /* those that are there already do not care */
    serve_if_ready(g); /* none may be wanted */
    g->owner->on_zygote(g);
}

void generation_on_forked(struct generation *g)
{
    if (g->heir)
        loop_task_queue(g->loop, &g->sweep); /* it may have waited for that */
}

void generation_on_fork_failed(struct generation *g, int id, const char *reason)
{
    FOR_EACH_SLOT (s, g)
        if (s->id == id && s->state == SLOT_FORKING)
            slot_handle(s, SLOT_GONE, reason);
}

void generation_on_fork_timeout(struct generation *g)
{
    zygote_kill(g->zygote);
}

void generation_on_zygote_ended(struct generation *g, const struct zygote *z)
{
    if (z == g->heir) {
        loop_task_queue(g->loop, &g->sweep); /* it is given up */
        return;
    }
    g->owner->on_zygote(g);
    if (!z->wanted) {
        generation_on_worker_ended(g); /* it may have been the last process */
        return;
    }
    if (g->state == GENERATION_LOADING || g->state == GENERATION_STARTING) {
        generation_set_cause(g, z->cause);
        fail(g);
        return;
    }
    log_warning("the zygote of generation %u ended (%s): another one is started; its workers go on",
                g->number, z->cause);
    /* Workers that it was just forking are lost with it. */
    FOR_EACH_SLOT (s, g)
        if (s->state == SLOT_FORKING)
            slot_handle(s, SLOT_GONE, "lost with the zygote");
}

struct slot *generation_slot_of(const struct generation *g, pid_t pid)
{
    FOR_EACH_SLOT (s, g)
        if (slot_pid(s) == pid)
            return s;
    return NULL;
}

bool generation_has_pid(const struct generation *g, pid_t pid)
{
    return g->zygote->child.proc.pid == pid || (g->heir && g->heir->child.proc.pid == pid) ||
           keepers_have_pid(&g->keepers, pid) || generation_slot_of(g, pid);
}
