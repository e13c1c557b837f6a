/* SPDX-License-Identifier: MIT */
#pragma once

#include "ipc/message.h"
#include "loop/loop.h"

struct worker;

/* A worker whose application is warm becomes the model of those that follow (refork-after): when it
 * has answered enough it says so, and if the master wants it then, it forks a copy of itself that
 * is the next zygote. The worker goes on. When the master does not want it, it says so again after
 * as many. */
struct promotion {
    enum promotion_state {
        PROMOTION_NONE,
        PROMOTION_HOLDS, /* no call begins, until those that are in progress have ended */
        PROMOTION_RESTS, /* they lasted too long: goes on serving, and tries again later */
        PROMOTION_FAILS, /* something stands in the way that may go by itself */
    } state;
    unsigned n_tries;
    struct loop_timer timer; /* of the state */
    int channel_fd;          /* the copy's to the master */
    int output_fd;           /* where the copy prints; -1: where this process does */
};

/* A request has been answered. */
void promote_on_answer(struct worker *w);

/* The master wants the copy (FAMILY_PROMOTE): it is made as soon as no call is in progress. Takes
 * the descriptors of @m over. What stands in the way is said over the copy's channel. */
void promote_begin(struct worker *w, struct message *m);

/* No call is in progress. */
void promote_on_idle(struct worker *w);
