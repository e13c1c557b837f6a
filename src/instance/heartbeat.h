/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "loop/loop.h"

/* A vassal's signs of life for its Emperor (heartbeat): one each period, as long as all is well.
 * The master's loop gives them, so one that hangs gives none. */
struct heartbeat {
    struct loop *loop;
    struct loop_timer timer;
    uint64_t period_us;                             /* 0: none */
    bool silent;                                    /* the last one was left out */
    bool (*is_well)(void *data, uint64_t since_us); /* something has been right since then */
    void (*beat)(void *data);
    void *data;
};

void heartbeat_init(struct heartbeat *h, bool (*is_well)(void *data, uint64_t since_us),
                    void (*beat)(void *data), void *data);

/* Beats at once, and each @period_us from now on; goes on as it is if that is the period already.
 * 0: never. */
void heartbeat_configure(struct heartbeat *h, struct loop *loop, uint64_t period_us);
void heartbeat_stop(struct heartbeat *h);
