/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "load/plan.h"

/* When requests come and which: the same for the same plan and seed, whatever the server does. */
struct arrivals {
    const struct plan *plan;
    uint64_t random;   /* state of splitmix64 */
    size_t phase;      /* the one that now_us lies in */
    double phase_left; /* microseconds of it that are left */
    double now_us;     /* since the start */
};

void arrivals_init(struct arrivals *a, const struct plan *plan);

/* The next arrival of an open loop in microseconds since the start, exponentially distributed
 * after the one before. Returns false after the last one. */
bool arrivals_next(struct arrivals *a, uint64_t *ret_us);

/* Which of the plan's kinds the next request is, by their weights. */
size_t arrivals_kind(struct arrivals *a);
