/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "base/list.h"
#include "loop/loop.h"

/* How many vassals start or reload at the same time. One that has a turn keeps it until it is ready
 * or has ended, and no longer than its patience: one that hangs, or does not speak, holds nobody
 * up. Turns come in the order in which they were asked for. */
struct pace;

struct turn {
    struct pace *pace;
    struct list link;       /* while it waits */
    struct loop_timer over; /* while it has the turn */
};

struct pace {
    struct loop *loop;
    unsigned limit; /* turns at a time */
    unsigned n_taken;
    struct list waiting; /* struct turn */
    struct loop_task grant;
    void (*on_turn)(struct turn *t); /* from the loop; takes the turn with turn_take(), or not */
};

void pace_init(struct pace *p, struct loop *l, unsigned limit, void (*on_turn)(struct turn *t));
void pace_done(struct pace *p);

void turn_init(struct turn *t, struct pace *p);

/* Lines up, at the end or in front of all others. Does nothing to one that waits already. */
void turn_wait(struct turn *t, bool in_front);

/* True if nobody would have to wait now. */
bool turn_is_free(const struct turn *t);

/* Has a turn from now on, whoever waits, and for @patience_us at most. */
void turn_take(struct turn *t, uint64_t patience_us);

/* Shortens the rest of the turn; does nothing to one that has none. */
void turn_expect(struct turn *t, uint64_t patience_us);

/* Neither waits nor has a turn from now on. */
void turn_end(struct turn *t);
