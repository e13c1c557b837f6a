/* SPDX-License-Identifier: MIT */
/* Ten looks a second, and none unless an option asks for them. One look may find all workers busy
 * by chance, so that counts when it is so for half a second. */
#include "instance/sos.h"

#include "base/clock.h"
#include "instance/generation.h"

#define TICK_US    (100 * US_PER_MS)
#define BUSY_TICKS 5
#define BACKLOG_US US_PER_SEC /* between two calls because of what waits */

/* @last_us 0: never. */
static bool is_due(uint64_t last_us, uint64_t interval_us, uint64_t now_us)
{
    return last_us == 0 || now_us - last_us >= interval_us;
}

const char *sos_decide(struct sos_memory *m, const struct sos_conf *c, const struct sos_sample *x)
{
    bool all_busy = x->n_ready >= c->n_workers && x->n_idle == 0;

    m->n_busy = all_busy ? m->n_busy + 1 : 0;
    if (c->interval_us != 0 && m->n_busy >= BUSY_TICKS &&
        is_due(m->busy_us, c->interval_us, x->now_us)) {
        m->busy_us = x->now_us;
        return "all workers are busy";
    }
    if (c->backlog != 0 && x->n_waiting >= c->backlog &&
        is_due(m->backlog_us, BACKLOG_US, x->now_us)) {
        m->backlog_us = x->now_us;
        return "too many requests wait";
    }
    return NULL;
}

static void on_timer(struct loop_timer *t)
{
    struct sos *s = container_of(t, struct sos, timer);
    struct sos_sample x = {.now_us = loop_now_us(s->loop)};
    const struct generation *g = s->generation(s->data);
    const char *why = NULL;

    loop_timer_set(s->loop, t, x.now_us + TICK_US);
    if (!g)
        return;
    generation_count(g, &x.n_ready, &x.n_idle);
    x.n_waiting = generation_count_waiting(g);
    why = sos_decide(&s->memory, &s->conf, &x);
    if (why)
        s->call(s->data, why);
}

void sos_init(struct sos *s, const struct generation *(*generation)(void *data),
              void (*call)(void *data, const char *why), void *data)
{
    *s = (struct sos){.timer.fn = on_timer, .generation = generation, .call = call, .data = data};
}

void sos_stop(struct sos *s)
{
    if (s->loop)
        loop_timer_clear(s->loop, &s->timer);
}

void sos_configure(struct sos *s, struct loop *loop, const struct instance_conf *conf)
{
    s->loop = loop;
    s->conf = (struct sos_conf){
        .interval_us = conf->vassal_sos_us,
        .backlog = (unsigned)conf->vassal_sos_backlog,
        .n_workers = (unsigned)conf->processes,
    };
    if (s->conf.interval_us == 0 && s->conf.backlog == 0)
        sos_stop(s);
    else
        loop_timer_set(loop, &s->timer, loop_now_us(loop) + TICK_US);
}
