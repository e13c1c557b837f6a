/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/errmsg.h"

/* Finds the program @name of ours: beside the one that runs, or in bin or libexec of the
 * same tree. Sets *@ret to
 * an absolute path, with its links, the caller's to free. Returns 0 or a negative errno with @err.
 */
int libexec_find(const char *name, char **ret, struct errmsg *err) _must_check_;

/* The absolute path of this program, where the next release of it will be too. The same rules. */
int libexec_self(char **ret, struct errmsg *err) _must_check_;
