/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/macro.h"

/* The absolute path of @path, seen from the current directory, with its links and dots as they are:
 * allocated, or NULL without memory or without a current directory. */
char *path_make_absolute(const char *path) _must_check_;
