/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/macro.h"

/* The sentence for the operator that goes with an error code. Owned by the caller, never freed.
 * Longer sentences are cut: it holds a path (up to PATH_MAX is rare) and a cause. */
struct errmsg {
    char text[1024];
};

/* Stores the sentence (if @err is not NULL) and returns @code, so callers write
 * "return errmsg_set(err, -EINVAL, ...)". */
int errmsg_set(struct errmsg *err, int code, const char *fmt, ...) _printf_(3, 4);

/* As errmsg_set(), with ": " and strerror(-@code) after the sentence. */
int errmsg_set_errno(struct errmsg *err, int code, const char *fmt, ...) _printf_(3, 4);

/* Puts "WHERE: " in front of the sentence that is there and returns @code. */
int errmsg_prefix(struct errmsg *err, int code, const char *fmt, ...) _printf_(3, 4);
