/* SPDX-License-Identifier: MIT */
#pragma once

#include "loop/loop.h"

struct worker;

/* The worker's sign of life (heartbeat): the loop goes round, and a call could begin or a request
 * has been answered since the last time. The master reads it in the scoreboard. */
struct pulse {
    struct loop_timer timer;
    uint64_t n_requests; /* the worker's, at the last time */
};

/* Once each `heartbeat`, beginning now; never without that option. */
void pulse_start(struct worker *w);
