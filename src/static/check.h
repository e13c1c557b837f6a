/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/errmsg.h"
#include "base/macro.h"

/* Checks @value of the option @name beyond what its row says: a prefix and a path, a pattern, a
 * number of seconds. Looks at no file. Returns 0, or a negative errno with @err: "static-map: '/a'
 * is not /PREFIX=PATH". */
int static_check(const char *name, const char *value, struct errmsg *err) _must_check_;
