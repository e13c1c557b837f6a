/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

struct conf_input;
struct loader;

/* Adds what the command line of l->in says, in its order. Returns 0 or a negative errno with
 * l->err. */
int cmdline_read(struct loader *l) _must_check_;

/* True if the command line of @in seems to ask a question instead of running: --check, --help ...
 */
bool cmdline_asks(const struct conf_input *in);
