/* SPDX-License-Identifier: MIT */
/* A beat that is left out, and the first one after that, are lines of the log: the Emperor will
 * kill an instance that stays silent, and this says why. */
#include "instance/heartbeat.h"

#include "base/clock.h"
#include "base/log.h"

#define SIGHT 2 /* periods that are looked back: what has a period of its own is not missed */

static void on_timer(struct loop_timer *t)
{
    struct heartbeat *h = container_of(t, struct heartbeat, timer);
    uint64_t now_us = loop_now_us(h->loop);
    bool silent = !h->is_well(h->data, now_us - MIN(SIGHT * h->period_us, now_us));

    loop_timer_set(h->loop, t, now_us + h->period_us);
    if (silent && !h->silent)
        log_warning("heartbeat: for %g s no worker could have taken a request or has answered one: "
                    "the Emperor hears nothing until one does",
                    (double)(SIGHT * h->period_us) / US_PER_SEC);
    else if (!silent && h->silent)
        log_info("heartbeat: workers take requests again");
    h->silent = silent;
    if (!silent)
        h->beat(h->data);
}

void heartbeat_init(struct heartbeat *h, bool (*is_well)(void *data, uint64_t since_us),
                    void (*beat)(void *data), void *data)
{
    *h = (struct heartbeat){.timer.fn = on_timer, .is_well = is_well, .beat = beat, .data = data};
}

void heartbeat_stop(struct heartbeat *h)
{
    if (h->loop)
        loop_timer_clear(h->loop, &h->timer);
    h->period_us = 0;
}

void heartbeat_configure(struct heartbeat *h, struct loop *loop, uint64_t period_us)
{
    h->loop = loop;
    if (h->period_us == period_us)
        return;
    heartbeat_stop(h);
    h->period_us = period_us;
    if (period_us != 0)
        loop_timer_set(loop, &h->timer, loop_now_us(loop));
}
