/* SPDX-License-Identifier: MIT */
#pragma once

/* The heap of the C library (malloc(3)). */

/* Gives back what is free, and takes the gaps between what is allocated out of use for good: what
 * is allocated from now on lies together, in pages of its own. For a process that many are about to
 * be forked from: to fill its gaps each of them would write to pages all over the heap, and have
 * them for itself then. */
void malloc_close_gaps(void);
