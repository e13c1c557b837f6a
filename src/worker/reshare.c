/* SPDX-License-Identifier: MIT */
/* Whoever writes to memory while this is done would lose it. No call of the application is in
 * progress then, and the threads of the crew sleep; but a thread of the application's own does what
 * it likes, and keeps us from it. */
#include "worker/reshare.h"

#include "base/log.h"
#include "base/proc.h"
#include "base/snapshot.h"
#include "worker/worker-private.h"

static void wait_until(struct worker *w, uint64_t at_us)
{
    w->reshare.waits = true;
    loop_timer_set(w->loop, &w->reshare.timer, at_us);
}

/* Some of it: what is ready meanwhile is done before the rest. */
static void reshare(struct worker *w)
{
    struct reshare *r = &w->reshare;

    if (proc_count_threads() > w->crew.n_members) {
        r->at = 0;
        return;
    }
    long n = snapshot_return(&r->at);
    if (n < 0) {
        (void)log_errno(LOG_WARNING, (int)n, "memory is not shared again with the base");
        r->on = false;
    } else if (r->at != 0) {
        wait_until(w, loop_now_us(w->loop));
    }
}

static void on_timer(struct loop_timer *t)
{
    struct worker *w = container_of(t, struct worker, reshare.timer);
    struct reshare *r = &w->reshare;
    const uint64_t due_us = r->quiet_us + w->conf->reshare_after_us;

    r->waits = false;
    if (w->n_open > 0 || w->stopping)
        return;         /* the next quiet begins later */
    if (w->n_calls > 0) /* of a request whose client has gone */
        wait_until(w, loop_now_us(w->loop) + w->conf->reshare_after_us);
    else if (loop_now_us(w->loop) < due_us)
        wait_until(w, due_us);
    else
        reshare(w);
}

void reshare_on_quiet(struct worker *w)
{
    if (!w->reshare.on)
        return;
    w->reshare.quiet_us = loop_now_us(w->loop);
    w->reshare.at = 0;
    if (!w->reshare.waits)
        wait_until(w, w->reshare.quiet_us + w->conf->reshare_after_us);
}

void reshare_start(struct worker *w)
{
    w->reshare = (struct reshare){
        .on = snapshot_exists() && w->conf->reshare_after_us > 0,
        .timer.fn = on_timer,
    };
    loop_update_now(w->loop);
    reshare_on_quiet(w);
}
