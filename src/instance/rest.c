/* SPDX-License-Identifier: MIT */
/* What the master does when nobody asks for anything (idle). The workers finish as at an end, so
 * that what has been accepted is answered; the zygote stays, and with it the loaded application.
 * What comes meanwhile waits in the backlogs of the sockets, which are nobody's but the master's
 * then: for the workers that the first connection brings back, or, with die-on-idle, for whatever
 * the Emperor starts on these sockets. It is asked to stop us when no worker is left, so that not
 * even an order to stop at once can cost a request. If it does not, the instance serves again. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "instance/master-private.h"

#define ANSWER_US (10 * US_PER_SEC) /* for which the Emperor may think about it */

const struct generation *rest_watched_generation(void *data)
{
    const struct master *m = data;
    bool alone = !m->next && list_empty(&m->draining) && !partner_exists(&m->partner);

    return m->stopping == STOP_NO && !m->asleep && alone ? m->current : NULL;
}

void rest_on_idle(void *data)
{
    struct master *m = data;

    m->rest_wanted = true;
    master_step_later(m);
}

void rest_on_bell(void *data)
{
    struct master *m = data;

    m->wake_wanted = true;
    master_step_later(m);
}

void rest_on_timer(struct loop_timer *t)
{
    struct master *m = container_of(t, struct master, rest_timer);

    if (m->resting != REST_STOP_ASKED)
        return;
    log_warning("the Emperor was asked to stop this instance %g s ago and has not: it waits until "
                "somebody asks",
                (double)ANSWER_US / US_PER_SEC);
    m->resting = REST_UNTIL_ASKED;
    master_step_later(m);
}

static void begin(struct master *m)
{
    const struct instance_conf *conf = &m->current->registry->instance;
    const char *then =
        conf->die_on_idle ? "the instance ends" : "the workers end until somebody asks";

    m->rest_wanted = false;
    if (!rest_watched_generation(m)) { /* since then something else has begun */
        idle_configure(&m->idle, m->loop, conf->idle_us);
        return;
    }
    log_info("no request for %g s: %s", (double)conf->idle_us / US_PER_SEC, then);
    if (conf->die_on_idle && !link_exists(&m->link)) {
        m->stop_wanted = STOP_GRACEFULLY;
        master_step_later(m);
        return;
    }
    m->asleep = true;
    m->resting = conf->die_on_idle ? REST_UNTIL_STOPPED : REST_UNTIL_ASKED;
    generation_rest(m->current);
    link_status(&m->link, STATUS_WORKERS, 0, "");
}

static void end(struct master *m)
{
    uint64_t n = m->size.wanted;

    m->wake_wanted = false;
    if (m->resting != REST_UNTIL_ASKED)
        return;
    log_info("somebody asks: %llu worker%s started", (unsigned long long)n,
             n == 1 ? " is" : "s are");
    m->resting = REST_NO;
    m->asleep = false;
    int r = generation_resize(m->current, n);
    if (r < 0)
        (void)log_errno(LOG_ERR, r, "generation %u cannot have %llu workers", m->current->number,
                        (unsigned long long)n);
    idle_configure(&m->idle, m->loop, m->current->registry->instance.idle_us);
}

/* As soon as nobody accepts any more. */
static void wait_for_bell(struct master *m)
{
    if (idle_waits_for_bell(&m->idle) || generation_accepts(m->current))
        return;
    int r = idle_wait_for_bell(&m->idle, &m->current->listeners);
    if (r == 0)
        return;
    (void)log_errno(LOG_ERR, r, "cannot wait for a connection without workers");
    end(m);
}

void rest_step(struct master *m)
{
    if (m->rest_wanted)
        begin(m);
    if (m->wake_wanted)
        end(m);
    if (m->resting == REST_UNTIL_ASKED)
        wait_for_bell(m);
    if (m->resting == REST_UNTIL_STOPPED && generation_is_deserted(m->current)) {
        m->resting = REST_STOP_ASKED;
        link_send(&m->link, VASSAL_BYTE_STOP);
        loop_timer_set(m->loop, &m->rest_timer, loop_now_us(m->loop) + ANSWER_US);
    }
}
