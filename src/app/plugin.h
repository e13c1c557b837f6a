/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "liege/plugin.h"

/* Loads the shared object of @info, from the folder of the running program or plugins/NAME below
 * it, and checks that it was built for this server. The object stays loaded. Returns 0, or a
 * negative errno with @err naming the file and the reason. */
int plugin_open(const struct liege_plugin_info *info, const struct liege_plugin **ret,
                struct errmsg *err) _must_check_;
