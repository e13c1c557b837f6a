/* SPDX-License-Identifier: MIT */
/* Adding a worker is cheap (a fork), and a request that waits is what it is for: so more come
 * quickly. Fewer come when for a whole window there has never been use for those that go, or sooner
 * when no load is left at all. While workers are on their way nothing is decided: what they will do
 * is not seen yet. */
#include "instance/scale.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"

#define LONG_WAIT_US  (20 * US_PER_MS)   /* that no request should have waited */
#define PATIENT_TICKS 2                  /* in a row: one sample may be chance */
#define SPARE_IDLE_US (1000 * US_PER_MS) /* bursts a second keep what they need */
#define SPARE_END_US  (400 * US_PER_MS)  /* without any request: the load has ended */

typedef int algo_fn(struct scale *s, const struct scale_conf *c, const struct scale_sample *x,
                    const char **ret_why);

static void begin_window(struct scale *s, uint64_t now_us)
{
    s->since_us = now_us;
    s->n_samples = 0;
    s->least_idle = 0;
    s->busy_sum = s->of_sum = 0;
}

static void note(struct scale *s, const struct scale_sample *x)
{
    if (s->since_us == 0)
        begin_window(s, x->now_us);
    s->least_idle = s->n_samples == 0 ? x->n_idle : MIN(s->least_idle, x->n_idle);
    s->n_samples++;
    s->n_none_idle = x->n_idle == 0 ? s->n_none_idle + 1 : 0;
    s->n_calm = x->n_waiting == 0 ? s->n_calm + 1 : 0;
    s->busy_sum += x->n_ready - MIN(x->n_idle, x->n_ready);
    s->of_sum += x->n_ready;
}

/* Those that go have been idle all the time: the others are judged by what they did meanwhile, and
 * need not begin anew. */
static void forget_idle(struct scale *s, unsigned n)
{
    s->least_idle -= MIN(n, s->least_idle);
    for (size_t i = 0; i < SCALE_PARTS; i++)
        s->parts[i] -= MIN(n, s->parts[i]);
}

/* Fewer, if more than @spare workers had nothing to do at any time of the last @window_us. They are
 * looked back on in parts, so that it is known soon after their end. */
static int shrink_after(struct scale *s, const struct scale_sample *x, uint64_t window_us,
                        unsigned spare, const char **ret_why)
{
    if (x->now_us - s->since_us < window_us / SCALE_PARTS)
        return 0;
    s->parts[s->n_parts++ % SCALE_PARTS] = s->least_idle;
    begin_window(s, x->now_us);
    if (s->n_parts < SCALE_PARTS)
        return 0;
    unsigned least = s->parts[0];
    for (size_t i = 1; i < SCALE_PARTS; i++)
        least = MIN(least, s->parts[i]);
    if (least <= spare)
        return 0;
    *ret_why = "were idle all the time";
    return -(int)(least - spare);
}

static int spare(struct scale *s, const struct scale_conf *c, const struct scale_sample *x,
                 const char **ret_why)
{
    if (s->n_none_idle >= PATIENT_TICKS && x->n_waiting > 0 && x->wait_us >= LONG_WAIT_US) {
        *ret_why = "no worker is idle, and requests wait";
        return (int)c->step;
    }
    if (s->n_none_idle * SCALE_TICK_US >= c->overload * US_PER_SEC && s->n_none_idle > 0) {
        *ret_why = "no worker has been idle for a while";
        return (int)c->step;
    }
    if (x->quiet_us >= SPARE_END_US && x->n_waiting == 0 && x->n_ready > 1) {
        *ret_why = "there is nothing left to do";
        return 1 - (int)x->n_ready;
    }
    return shrink_after(s, x, SPARE_IDLE_US, 1, ret_why);
}

static int spare2(struct scale *s, const struct scale_conf *c, const struct scale_sample *x,
                  const char **ret_why)
{
    s->n_short = x->n_idle < c->min ? s->n_short + 1 : 0;
    if (s->n_short >= PATIENT_TICKS) {
        *ret_why = "too few workers are idle";
        return (int)MIN(c->min - x->n_idle, c->step);
    }
    return shrink_after(s, x, c->idle_s * US_PER_SEC, c->min, ret_why);
}

static int backlog(struct scale *s, const struct scale_conf *c, const struct scale_sample *x,
                   const char **ret_why)
{
    s->n_short = x->n_waiting > c->overload ? s->n_short + 1 : 0;
    if (s->n_short >= PATIENT_TICKS) {
        *ret_why = "too many requests wait";
        return (int)c->step;
    }
    if (s->n_calm * SCALE_TICK_US < US_PER_SEC)
        return 0;
    s->n_calm = 0;
    if (x->n_idle == 0)
        return 0; /* nothing waits, but this one would be missed */
    *ret_why = "no request has had to wait for a second";
    return -1;
}

static int busyness(struct scale *s, const struct scale_conf *c, const struct scale_sample *x,
                    const char **ret_why)
{
    if (x->now_us - s->since_us < c->overload * US_PER_SEC || s->of_sum == 0)
        return 0;
    uint64_t percent = 100 * s->busy_sum / s->of_sum;
    begin_window(s, x->now_us);
    if (percent > c->busy_max) {
        *ret_why = "the workers are busier than cheaper-busyness-max";
        return (int)c->step;
    }
    uint64_t rest_us = (uint64_t)c->overload * c->multiplier * US_PER_SEC;
    if (percent >= c->busy_min || x->now_us - s->changed_us < rest_us)
        return 0;
    *ret_why = "the workers are less busy than cheaper-busyness-min";
    return -1;
}

/* clang-format off */
static const struct {
    const char *name;
    algo_fn *fn;
} algos[] = {
    [SCALE_SPARE]    = { "spare",    spare },
    [SCALE_SPARE2]   = { "spare2",   spare2 },
    [SCALE_BACKLOG]  = { "backlog",  backlog },
    [SCALE_BUSYNESS] = { "busyness", busyness },
};
/* clang-format on */
static_assert(COUNT_OF(algos) == SCALE_ALGO_COUNT, "one function for each algorithm");

const char *scale_algo_name(enum scale_algo algo)
{
    assert(algo < SCALE_ALGO_COUNT);

    return algos[algo].name;
}

int scale_algo_find(const char *name, enum scale_algo *ret)
{
    for (size_t i = 0; i < COUNT_OF(algos); i++)
        if (strcmp(algos[i].name, name) == 0) {
            *ret = (enum scale_algo)i;
            return 0;
        }
    return -EINVAL;
}

/* Within what the configuration allows; an operator may have gone beyond, and is not contradicted.
 */
static int clamp(int change, const struct scale_conf *c, const struct scale_sample *x)
{
    int room = (int)c->max - (int)x->n_workers, surplus = (int)c->min - (int)x->n_workers;

    if (change > 0)
        return MAX(MIN(change, room), 0);
    return MIN(MAX(change, surplus), 0);
}

int scale_decide(struct scale *s, const struct scale_conf *c, const struct scale_sample *x,
                 const char **ret_why)
{
    *ret_why = "";
    if (x->n_ready < x->n_workers)
        return 0;
    note(s, x);
    int change = algos[c->algo].fn(s, c, x, ret_why);
    change = clamp(change, c, x);
    if (change == 0) {
        *ret_why = "";
        return 0;
    }
    s->n_none_idle = s->n_short = 0;
    if (change < 0) {
        forget_idle(s, (unsigned)-change);
    } else {
        s->n_parts = 0;
        begin_window(s, x->now_us);
    }
    s->changed_us = x->now_us;
    return change;
}
