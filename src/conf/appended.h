/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/macro.h"

/* Texts behind the end of a program, as uWSGI has them: each followed by its length, 64 bits in the
 * machine's order. Number 0 is the last one.
 *
 * Reads text @number of the file @fd, whose position does not matter: allocated and terminated.
 * Returns 0, -ENOENT if there is none with that number, -EFBIG over @max bytes, or another negative
 * errno. */
int appended_read(int fd, unsigned number, size_t max, char **ret_text,
                  size_t *ret_len) _must_check_;
