/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "loop/loop.h"

struct worker;

/* A worker of a vassal that was forked from a base has had no request for a while (reshare-after):
 * what its memory has in common with the base's is shared again (base/snapshot.h), once until the
 * next request. Without such a base nothing of this happens. */
struct reshare {
    bool on;
    bool waits;        /* the timer is set */
    uint64_t quiet_us; /* since when there has been no request */
    unsigned n_tries;  /* since then, in vain */
    uintptr_t at;      /* where it goes on; 0: at the begin */
    struct loop_timer timer;
};

void reshare_start(struct worker *w);

/* The worker has no request any more. */
void reshare_on_quiet(struct worker *w);
