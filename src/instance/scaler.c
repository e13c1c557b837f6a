/* SPDX-License-Identifier: MIT */
/* The samples for scale.c. Workers say in the scoreboard whether they are idle, the queue's board
 * says how many requests wait and for how long, and the kernel how many connections do: of TCP; of
 * a UNIX socket it says nothing, but workers that are all busy leave no connection there for long
 * (accept.c). */
#include "instance/scaler.h"

#include "base/clock.h"
#include "instance/generation.h"

#define CALM_TICK_US (5 * SCALE_TICK_US) /* when all are idle and no fewer are possible */

static struct scale_sample take_sample(struct scaler *s, const struct generation *g)
{
    const struct queue_board *board = g->queue->board;
    struct scale_sample x = {.now_us = clock_now_us(), .n_workers = (unsigned)g->n_slots};

    generation_count(g, &x.n_ready, &x.n_idle);
    unsigned backlog = x.n_idle == 0 ? listeners_backlog(&g->listeners) : 0;
    s->backlog_us = backlog == 0 ? 0 : s->backlog_us == 0 ? x.now_us : s->backlog_us;
    if (backlog > 0)
        x.wait_us = x.now_us - s->backlog_us;
    int64_t n_queued = atomic_load(&board->n_waiting);
    if (n_queued > 0)
        x.wait_us = MAX(x.wait_us, x.now_us - MIN(atomic_load(&board->taken_us), x.now_us));
    uint64_t quiet_since_us = 0;
    if (generation_is_quiet(g, &quiet_since_us))
        x.quiet_us = x.now_us - MIN(quiet_since_us, x.now_us);
    x.n_waiting = backlog + (unsigned)MAX(n_queued, (int64_t)0);
    return x;
}

static void on_tick(struct loop_timer *t)
{
    struct scaler *s = container_of(t, struct scaler, timer);
    const struct generation *g = s->generation(s->data);
    const char *why = "";
    int change = 0;

    if (g) {
        s->sample = take_sample(s, g);
        change = scale_decide(&s->scale, &s->conf, &s->sample, &why);
    }
    bool calm = g && s->sample.n_idle == g->n_slots && g->n_slots <= s->conf.min;
    loop_timer_set(s->loop, t, loop_now_us(s->loop) + (calm ? CALM_TICK_US : SCALE_TICK_US));
    if (change != 0)
        s->on_change(s->data, change, why);
}

void scaler_init(struct scaler *s, const struct generation *(*generation)(void *data),
                 void (*on_change)(void *data, int by, const char *why), void *data)
{
    *s = (struct scaler){
        .timer.fn = on_tick, .generation = generation, .on_change = on_change, .data = data};
}

void scaler_configure(struct scaler *s, struct loop *loop, const struct instance_conf *conf)
{
    s->loop = loop;
    s->on = conf->cheaper != 0 && conf->cheaper != conf->processes;
    s->conf = (struct scale_conf){
        .min = (unsigned)conf->cheaper,
        .max = (unsigned)conf->processes,
        .step = (unsigned)conf->cheaper_step,
        .overload = (unsigned)conf->cheaper_overload,
        .idle_s = (unsigned)conf->cheaper_idle,
        .busy_min = (unsigned)conf->cheaper_busyness_min,
        .busy_max = (unsigned)conf->cheaper_busyness_max,
        .multiplier = (unsigned)conf->cheaper_busyness_multiplier,
    };
    (void)!scale_algo_find(conf->cheaper_algo, &s->conf.algo); /* checked when it was loaded */
    s->scale = (struct scale){.since_us = 0};
    if (s->on)
        loop_timer_set(loop, &s->timer, loop_now_us(loop) + SCALE_TICK_US);
    else
        loop_timer_clear(loop, &s->timer);
}

void scaler_stop(struct scaler *s)
{
    if (s->loop)
        loop_timer_clear(s->loop, &s->timer);
    s->on = false;
}
