/* SPDX-License-Identifier: MIT */
#pragma once

#include "loop/loop.h"

/* A pairing heap of timers, through the timers themselves: setting one allocates nothing and cannot
 * fail (Fredman, Sedgewick, Sleator, Tarjan: The pairing heap, 1986). */
struct heap {
    struct loop_timer *root;
};

void heap_put(struct heap *h, struct loop_timer *t);
void heap_remove(struct heap *h, struct loop_timer *t);

static inline struct loop_timer *heap_first(const struct heap *h)
{
    return h->root;
}
