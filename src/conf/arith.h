/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "base/errmsg.h"

/* Gives the text that @name stands for; it stays valid until the evaluation ends. Returns 1, 0 if
 * there is no such name, or a negative errno with @err. */
typedef int arith_lookup_fn(void *userdata, const char *name, const char **ret, struct errmsg *err);

/* Evaluates a pipeline as in "%(workers * 2 + 1)": words separated by blanks, strictly from left to
 * right. + - * / are signed 64 bit (a division by zero gives 0, as in uWSGI), ++ and -- change what
 * was computed so far, two operands without an operator are joined as text, an unknown name is
 * empty and counts as 0. Appends the result to @out. Returns 0, or -EINVAL, -ERANGE (overflow),
 * -ENOMEM or what @lookup returned, with @err. */
int arith_eval(const char *text, size_t len, arith_lookup_fn *lookup, void *userdata,
               struct buf *out, struct errmsg *err) _must_check_;
