/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/errmsg.h"
#include "base/macro.h"

struct registry;

/* Checks the values of a loaded configuration that mean more than their rows can say: patterns,
 * prefixes. Looks at no file. Returns 0, or a negative errno with @err naming file and line. */
int instance_check(const struct registry *r, struct errmsg *err) _must_check_;
