/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"

/* The heap (malloc-heap.h) of a process as it is now, kept for those that are forked from it. A
 * page that one of them writes to is its own from then on; many are soon as they were before
 * (counts of references that go up and down, lists of what is free), and those it can give back. */

/* Makes the snapshot: the heap is moved into a file of the kernel's (memfd_create(2)) that nobody
 * can write to any more, and mapped from there privately, at the same addresses. Takes some
 * milliseconds for each 10 MB. Not while another thread runs. Returns 0 or a negative errno: then
 * some of the heap may have been moved, which changes nothing. -EOPNOTSUPP: malloc(3) is not the C
 * library's (as with the address sanitizer), or pages are larger than usual; -EFBIG: there is a
 * limit of the size of files. */
int snapshot_take(void) _must_check_;

/* True in a process that has made one, and in those forked from it. */
bool snapshot_exists(void);

/* Gives back the pages that are as in the snapshot, from *@at on, which is 0 at first; as many as
 * take about a millisecond. *@at is then where to go on, or 0 at the end. Not while anybody
 * else may write to the heap: another thread, a handler of signals on one that does not hold them,
 * or the kernel, into memory that it was given for that and has pinned. Returns their number, or a
 * negative errno: -EPERM if the kernel lets this process look neither into /proc/self/pagemap nor
 * at its pages (move_pages(2)). */
long snapshot_return(uintptr_t *at) _must_check_;
