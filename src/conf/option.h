/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/errmsg.h"
#include "base/macro.h"
#include "liege/option.h"

/* Reads @value as @row says and stores it at @row->offset of @object; with @object NULL it is only
 * checked. Returns 0, or -EINVAL, -ERANGE or -ENOMEM with @err: "workers: '0' is not a whole number
 * from 1 to 1024". On failure the object is unchanged. */
int option_set(const struct liege_option *row, void *object, const char *value,
               struct errmsg *err) _must_check_;

/* Frees and zeroes the value in @object. */
void option_clear(const struct liege_option *row, void *object);

/* Writes what @row accepts, as it follows "is not": "a whole number from 1 to 1024". Returns @text.
 */
const char *option_accepted(const struct liege_option *row, char *text, size_t size);
