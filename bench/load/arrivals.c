/* SPDX-License-Identifier: MIT */
/* The schedule of an open loop: a Poisson process whose rate changes with the plan's phases, and
 * the lot that decides what each request is. The generator of random numbers is splitmix64 (Steele,
 * Lea and Flood, "Fast splittable pseudorandom number generators", 2014): one word of state, so a
 * schedule is its seed, on every machine. Called by main.c alone. */
#include "load/arrivals.h"

#include <math.h>

void arrivals_init(struct arrivals *a, const struct plan *plan)
{
    *a = (struct arrivals){.plan = plan, .random = plan->seed};
    if (plan->n_phases > 0)
        a->phase_left = plan->phases[0].seconds * 1e6;
}

static uint64_t next_random(struct arrivals *a)
{
    uint64_t z = (a->random += 0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

/* Uniform in [0, 1). */
static double next_uniform(struct arrivals *a)
{
    return (double)(next_random(a) >> 11) * 0x1p-53;
}

bool arrivals_next(struct arrivals *a, uint64_t *ret_us)
{
    double events = -log1p(-next_uniform(a)); /* to be spent at the rates of the phases */

    while (a->phase < a->plan->n_phases) {
        double per_us = a->plan->phases[a->phase].per_second / 1e6;
        double wait = events / per_us;
        if (wait < a->phase_left) {
            a->now_us += wait;
            a->phase_left -= wait;
            *ret_us = (uint64_t)a->now_us;
            return true;
        }
        events -= a->phase_left * per_us;
        a->now_us += a->phase_left;
        a->phase++;
        if (a->phase < a->plan->n_phases)
            a->phase_left = a->plan->phases[a->phase].seconds * 1e6;
    }
    return false;
}

size_t arrivals_kind(struct arrivals *a)
{
    double lot = next_uniform(a) * a->plan->weights;
    size_t i = 0;

    while (i + 1 < a->plan->n_kinds && lot >= a->plan->kinds[i].weight)
        lot -= a->plan->kinds[i++].weight;
    return i;
}
