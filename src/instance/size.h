/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/* How many workers there shall be: what the configuration says, until an operator says otherwise.
 * What the operator says holds over reloads until the configuration's own number changes. */
struct size {
    uint64_t configured;
    uint64_t wanted;
};

/* The number that a configuration has. Returns how many are wanted now. */
uint64_t size_configure(struct size *s, uint64_t n_workers);

/* One more or one fewer (@by 1 or -1), but never below one, nor above what there is room for.
 * Returns how many are wanted now. */
uint64_t size_change(struct size *s, int by);
