/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/* The heap of the C library (malloc(3)). */

/* True if malloc(3) is the C library's, and no other allocator has taken its place. */
bool malloc_is_of_libc(void);

/* All that is allocated from now on is on the heap: large pieces, too, which otherwise are mappings
 * of their own. Does nothing if the environment says how large those are (mallopt(3)). */
void malloc_keep_on_heap(void);

/* Not any more: very large ones have mappings of their own then. */
void malloc_leave_heap(void);

/* Gives back what is free, and takes the gaps between what is allocated out of use for good: what
 * is allocated from now on lies together, in pages of its own. For a process that many are about to
 * be forked from: to fill its gaps each of them would write to pages all over the heap, and have
 * them for itself then. */
void malloc_close_gaps(void);
