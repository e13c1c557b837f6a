/* SPDX-License-Identifier: MIT */
/* The level of the throttle: pure arithmetic. Used by vassal.c. */
#include "emperor/throttle.h"

#include "base/clock.h"
#include "base/macro.h"

#define LEAST_US US_PER_MS /* below it, halving has come to its end */

uint64_t throttle_next(struct throttle *t, uint64_t now_us, uint64_t step_us, uint64_t max_us)
{
    if (t->last_us != 0 && now_us - t->last_us < US_PER_SEC)
        t->level_us = MIN(t->level_us + step_us, max_us);
    else
        t->level_us = t->level_us / 2 < LEAST_US ? 0 : t->level_us / 2;
    t->last_us = now_us;
    return t->level_us;
}
