/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/macro.h"

/* Memory of one request: taken piece by piece, given back all at once. All zero is an empty one.
 * Running out of memory aborts the process: only workers use it, and a worker is replaceable. */
struct arena {
    struct arena_block *block; /* the newest; older ones hang on it */
    size_t used;               /* bytes of the newest */
};

/* Uninitialised memory, aligned for any object; valid until the next reset. Never NULL. */
void *arena_alloc(struct arena *a, size_t size) __attribute__((malloc, returns_nonnull));

/* A copy of @len bytes with a terminator behind it. */
char *arena_dup(struct arena *a, const void *data, size_t len) __attribute__((returns_nonnull));

/* Forgets all pieces and keeps one block for the next request. */
void arena_reset(struct arena *a);
void arena_done(struct arena *a);
