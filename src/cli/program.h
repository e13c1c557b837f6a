/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/errmsg.h"

/* Finds the program that serves: @wanted (option binary-path) if it is not NULL, else
 * liege-instance, beside this program or in ../libexec/liege. Sets @ret to an absolute path, with
 * its links, the caller's to free. Returns 0 or a negative errno with @err. */
int program_find(const char *wanted, char **ret, struct errmsg *err) _must_check_;
