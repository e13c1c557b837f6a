/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

#include "base/errmsg.h"

struct registry;

/* How many workers there shall be: what the configuration says, until an operator or the load says
 * otherwise. That holds over reloads until the configuration's own numbers change. */
struct size {
    uint64_t min, initial, max; /* of the configuration */
    uint64_t wanted;
};

/* Finds out what a configuration means: "auto", cheaper and cheaper-initial. To be called once
 * after loading; sets r->why_workers. Returns 0, or -EINVAL with @err naming the setting at fault.
 */
int size_resolve(struct registry *r, struct errmsg *err) _must_check_;

/* The numbers that a configuration has. Returns how many workers are wanted now. */
uint64_t size_configure(struct size *s, uint64_t min, uint64_t initial, uint64_t max);

/* So many more or fewer, but never fewer than one, nor more than there is room for. Returns how
 * many are wanted now. */
uint64_t size_change(struct size *s, int by);
