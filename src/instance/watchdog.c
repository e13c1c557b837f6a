/* SPDX-License-Identifier: MIT */
/* A worker says in the scoreboard when its oldest call has to be over. Whatever call begins after a
 * look is due no sooner than a harakiri later: that is when the next look is, at the latest. So a
 * master of idle workers hardly wakes for this. */
#include "instance/watchdog.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/proc.h"
#include "instance/generation.h"

#define GRACE_US (3 * US_PER_SEC) /* in which a worker sees to it itself */

static uint64_t harakiri_us(const struct watchdog *w)
{
    return w->generation->registry->worker.harakiri_us;
}

static void end(struct slot *s)
{
    const char *state = proc_state(slot_pid(s)) == 'T' ? " and is stopped" : "";

    log_error("harakiri: worker %d (pid %d) has not ended itself%s: it is killed", s->id,
              (int)slot_pid(s), state);
    (void)proc_signal(&s->child.proc, SIGKILL); /* its end is seen as any other */
}

/* Looks at all workers. Returns when to look again. */
static uint64_t look(const struct watchdog *w, uint64_t now_us)
{
    const struct generation *g = w->generation;
    uint64_t again_us = now_us + harakiri_us(w) + GRACE_US;

    for (size_t id = 1; id <= g->n_slots; id++) {
        struct call_due due = scoreboard_call_due(scoreboard_slot(&g->board, (int)id));
        struct slot *s = due.pid != 0 ? generation_slot_of(g, due.pid) : NULL;
        if (!s)
            continue;
        if (now_us >= due.at_us + GRACE_US)
            end(s);
        else
            again_us = MIN(again_us, due.at_us + GRACE_US);
    }
    return again_us;
}

static void on_timer(struct loop_timer *t)
{
    struct watchdog *w = container_of(t, struct watchdog, timer);
    struct loop *loop = generation_loop(w->generation);

    loop_timer_set(loop, t, look(w, loop_now_us(loop)));
}

void watchdog_init(struct watchdog *w, const struct generation *g)
{
    *w = (struct watchdog){.generation = g, .timer.fn = on_timer};
}

void watchdog_start(struct watchdog *w)
{
    struct loop *loop = generation_loop(w->generation);

    if (harakiri_us(w) != 0)
        loop_timer_set(loop, &w->timer, loop_now_us(loop) + harakiri_us(w) + GRACE_US);
}

void watchdog_stop(struct watchdog *w)
{
    loop_timer_clear(generation_loop(w->generation), &w->timer);
}
