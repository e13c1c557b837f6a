/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/macro.h"

struct loader;

/* Adds what the command line of l->in says, in its order. Returns 0 or a negative errno with
 * l->err. */
int cmdline_read(struct loader *l) _must_check_;
