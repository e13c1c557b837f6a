/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

#include "loop/loop.h"

struct worker;

/* When a worker has done its work: after so many requests, so long a time, or when it has become
 * too large. It asks the master to be replaced, and goes on until it is told; a master that cannot
 * do that then is asked again. */
struct retire {
    uint64_t at_requests;    /* ask when so many are answered; 0: never */
    uint64_t look_us;        /* when memory is looked at next */
    struct loop_timer timer; /* of max-worker-lifetime */
};

void retire_start(struct worker *w);

/* A request has been answered. */
void retire_on_answer(struct worker *w);
