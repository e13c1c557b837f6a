/* SPDX-License-Identifier: MIT */
#pragma once

#include "instance/listen.h"
#include "instance/registry.h"

/* Gets the sockets of all running instances that the configuration names (zerg) into @ret. It waits
 * for each of them, two seconds at most. A server that cannot be reached is an error with file and
 * line, or, with zerg-fallback or @have_some, a warning. Returns 0, or a negative errno with @err.
 */
int zerg_attach(const struct registry *r, bool have_some, struct listeners *ret,
                struct errmsg *err) _must_check_;
