/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

/* What the kernel is told of the memory that this process has written to, stacks left out. */

/* Has the kernel put it into large pages (madvise(2), MADV_COLLAPSE), where a kernel knows how, as
 * far as whole ones fit. For a process that will be forked often: what a fork copies at once is a
 * table of its pages, and of large ones that is short. A page that is written to afterwards is
 * still copied alone. Takes some milliseconds for each 10 MB. */
void heap_pages_collapse(void);

/* Lets the kernel keep pages with the same content once, those of other processes that did this
 * included: what is there now, here and in what is forked from here (madvise(2), MADV_MERGEABLE).
 * Returns 0, -EINVAL if the kernel cannot, or another negative errno. */
int heap_pages_merge(void) _must_check_;

/* True if the kernel looks for such pages: its "Kernel Samepage Merging" is switched on. */
bool heap_pages_are_merged(void);
