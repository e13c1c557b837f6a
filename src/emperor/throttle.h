/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/* Against fork bombs: how long a vassal that ran before waits until it is started again. As in
 * uWSGI, each start within a second of the one before raises the level by a step, each other one
 * halves it, and a start waits for the level. It is a deadline of the vassal alone: nobody else
 * waits with it. All zero is a fresh one. */
struct throttle {
    uint64_t level_us;
    uint64_t last_us; /* when a start was last asked for; 0: never */
};

/* Notes a start that is wanted at @now_us. Returns how long it waits: at most @max_us. */
uint64_t throttle_next(struct throttle *t, uint64_t now_us, uint64_t step_us, uint64_t max_us);
