/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/macro.h"

/* What is mapped into this process (proc_pid_maps(5)). */

/* Gives all memory back but what the caller itself runs on: the program and the C library, the
 * stack and the variables of the calling thread, and the mappings that hold the addresses @keep (at
 * most 8). For a process that a large one forked to do something small. From then on nothing may be
 * called that allocates memory, takes a lock or knows about languages (locale(7)). With the address
 * sanitizer, whose notes are everywhere, nothing is given back. The program
 * must be linked with -z now. Returns 0 or a negative errno. */
int memmap_drop_all_except(const void *const *keep, size_t n_keep) _must_check_;
