/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

/* Kernel Samepage Merging. */

/* Lets the kernel keep pages with the same content once, those of other processes that did this
 * included: what this process has written to so far, here and in what is forked from here, stacks
 * left out (madvise(2), MADV_MERGEABLE). Returns 0, -EINVAL if the kernel cannot, or another
 * negative errno. */
int ksm_merge_memory(void) _must_check_;

/* True if the kernel looks for such pages. */
bool ksm_is_on(void);
