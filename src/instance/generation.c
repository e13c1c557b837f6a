/* SPDX-License-Identifier: MIT */
/* Generations: starting the zygote and the workers of one configuration load, knowing when all of
 * them serve, and ending them. The master decides which generation serves; this file only reports.
 */
#include "instance/generation.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

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

int generation_new(struct loop *loop, struct registry *registry, const struct listeners *listeners,
                   const struct queue *queue, uint32_t number, const struct generation_owner *owner,
                   void *owner_data, struct generation **ret)
{
    struct generation *g = calloc(1, sizeof(*g));
    size_t n_slots = registry->instance.processes;
    struct slot *slots = calloc(n_slots, sizeof(*slots));

    if (!g || !slots) {
        free(g);
        free(slots);
        return -ENOMEM;
    }
    *g = (struct generation){
        .number = number,
        .loop = loop,
        .owner = owner,
        .owner_data = owner_data,
        .registry = registry,
        .listeners = *listeners,
        .queue = queue,
        .name = registry->conf.name,
        .master = getpid(),
        .slots = slots,
        .n_slots = n_slots,
    };
    int r = scoreboard_open(&g->board, n_slots);
    if (r < 0) {
        free(slots);
        free(g);
        return r;
    }
    list_init(&g->link);
    zygote_init(&g->zygote, g);
    for (size_t i = 0; i < n_slots; i++)
        slot_init(&slots[i], g, (int)i + 1);
    *ret = g;
    return 0;
}

struct generation *generation_free(struct generation *g)
{
    if (!g)
        return NULL;
    zygote_done(&g->zygote);
    for (size_t i = 0; i < g->n_slots; i++)
        slot_done(&g->slots[i]);
    listeners_release(&g->listeners);
    registry_free(g->registry);
    scoreboard_close(&g->board);
    free(g->slots);
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
    for (size_t i = 0; i < g->n_slots && g->state != GENERATION_FAILED; i++)
        slot_handle(&g->slots[i], SLOT_START, "");
}

void generation_start(struct generation *g)
{
    if (g->registry->instance.lazy_apps) {
        g->state = GENERATION_STARTING;
        start_workers(g);
        return;
    }
    int r = zygote_start(&g->zygote);
    if (r < 0) {
        generation_set_cause(g, strerror(-r));
        fail(g);
    }
}

int generation_fork(struct generation *g, int id, int fd, struct proc *ret)
{
    if (!g->registry->instance.lazy_apps)
        return zygote_fork(&g->zygote, id, fd);

    int r = proc_fork(ret);
    if (r != 0)
        return r < 0 ? r : 0;
    const struct child_start start = {
        .registry = g->registry,
        .listeners = &g->listeners,
        .name = g->name,
        .generation = g->number,
        .master = g->master,
        .channel_fd = fd,
        .worker_id = id,
        .queue = g->queue,
        .board = &g->board,
    };
    lazy_worker_main(&start);
}

/* True if no process of it is left: the zygote, too, has the listening sockets open. */
static bool all_empty(const struct generation *g)
{
    if (g->zygote.child.proc.pid != 0)
        return false;
    for (size_t i = 0; i < g->n_slots; i++)
        if (g->slots[i].state != SLOT_EMPTY)
            return false;
    return true;
}

static void end_if_empty(struct generation *g)
{
    if (g->state == GENERATION_DRAINING && all_empty(g))
        set_state(g, GENERATION_ENDED);
}

void generation_drain(struct generation *g, enum family_drain how)
{
    g->state = GENERATION_DRAINING;
    zygote_stop(&g->zygote);
    for (size_t i = 0; i < g->n_slots; i++) {
        g->slots[i].drain = how;
        slot_handle(&g->slots[i], SLOT_DRAIN, "told to finish");
    }
    listeners_release(&g->listeners);
    end_if_empty(g);
}

void generation_stop(struct generation *g)
{
    g->state = GENERATION_DRAINING;
    zygote_stop(&g->zygote);
    for (size_t i = 0; i < g->n_slots; i++)
        slot_handle(&g->slots[i], SLOT_STOP, "told to end");
    listeners_release(&g->listeners);
    end_if_empty(g);
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

static size_t count_ready(const struct generation *g)
{
    size_t n = 0;

    for (size_t i = 0; i < g->n_slots; i++)
        n += g->slots[i].state == SLOT_READY;
    return n;
}

void generation_on_worker_ready(struct generation *g)
{
    g->n_ready = count_ready(g);
    if (g->state == GENERATION_STARTING && g->n_ready == g->n_slots)
        set_state(g, GENERATION_SERVING);
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
    generation_on_worker_closed(g);
    end_if_empty(g);
}

bool generation_accepts(const struct generation *g)
{
    for (size_t i = 0; i < g->n_slots; i++)
        if (g->slots[i].accepting)
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

void generation_on_loaded(struct generation *g)
{
    if (g->state == GENERATION_LOADING)
        set_state(g, GENERATION_STARTING);
    start_workers(g); /* those that are there already do not care */
}

void generation_on_fork_failed(struct generation *g, int id, const char *reason)
{
    if (id >= 1 && (size_t)id <= g->n_slots && g->slots[id - 1].state == SLOT_FORKING)
        slot_handle(&g->slots[id - 1], SLOT_GONE, reason);
}

void generation_on_fork_timeout(struct generation *g)
{
    zygote_kill(&g->zygote);
}

void generation_on_zygote_ended(struct generation *g, const char *reason)
{
    if (g->state == GENERATION_LOADING || g->state == GENERATION_STARTING) {
        generation_set_cause(g, reason);
        fail(g);
        return;
    }
    log_warning("the zygote of generation %u %s: another one is started; its workers go on",
                g->number, reason);
    /* Workers that it was just forking are lost with it. */
    for (size_t i = 0; i < g->n_slots; i++)
        if (g->slots[i].state == SLOT_FORKING)
            slot_handle(&g->slots[i], SLOT_GONE, "lost with the zygote");
}

bool generation_has_pid(const struct generation *g, pid_t pid)
{
    if (g->zygote.child.proc.pid == pid)
        return true;
    for (size_t i = 0; i < g->n_slots; i++)
        if (slot_pid(&g->slots[i]) == pid)
            return true;
    return false;
}
