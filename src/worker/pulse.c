/* SPDX-License-Identifier: MIT */
/* A thread that is stuck in the application does not stop the loop, so a loop that goes round is
 * not enough: a worker all of whose threads are in calls must have answered something meanwhile. */
#include "worker/pulse.h"

#include "base/clock.h"
#include "worker/dispatch.h"
#include "worker/worker-private.h"

static void on_timer(struct loop_timer *t)
{
    struct worker *w = container_of(t, struct worker, pulse.timer);
    bool answered = w->n_requests != w->pulse.n_requests;

    w->pulse.n_requests = w->n_requests;
    loop_timer_set(w->loop, t, loop_now_us(w->loop) + w->conf->heartbeat_us);
    if (!w->draining && (answered || dispatch_may_call(w)))
        atomic_store_explicit(&worker_slot(w)->pulse_us, loop_now_us(w->loop),
                              memory_order_relaxed);
}

void pulse_start(struct worker *w)
{
    w->pulse = (struct pulse){.timer.fn = on_timer};
    if (w->conf->heartbeat_us == 0)
        return;
    atomic_store(&worker_slot(w)->pulse_us, clock_now_us());
    loop_timer_set(w->loop, &w->pulse.timer, clock_now_us() + w->conf->heartbeat_us);
}
