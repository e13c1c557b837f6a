/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/errmsg.h"
#include "base/macro.h"
#include "conf/trust.h"

/* A variable that a folder says; @value is NULL where it is to be removed. Returns 0 or a negative
 * errno that ends the reading. */
typedef int envdir_fn(void *userdata, const char *name, const char *value);

/* Calls @fn for each variable of the folder @path (relative: below @cwd), by name, and weakens
 * @trust to that in the files. Returns 0, what
 * @fn returned, or a negative errno with @err naming the folder or the file. */
int envdir_read(const char *cwd, const char *path, envdir_fn *fn, void *userdata,
                struct trust *trust, struct errmsg *err) _must_check_;
