/* SPDX-License-Identifier: MIT */
#pragma once

/* The heap of the C library (malloc(3)). */

/* All that is allocated from now on is on the heap: large pieces, too, which otherwise are mappings
 * of their own. */
void malloc_keep_on_heap(void);

/* Not any more. Pieces of a megabyte have mappings of their own then. */
void malloc_leave_heap(void);

/* Gives back what is free, and takes the gaps between what is allocated out of use for good: what
 * is allocated from now on lies together, in pages of its own. For a process that many are about to
 * be forked from: to fill its gaps each of them would write to pages all over the heap, and have
 * them for itself then. */
void malloc_close_gaps(void);
