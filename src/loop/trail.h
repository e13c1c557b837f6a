/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/macro.h"

/* What a path goes through. */
enum trail_kind {
    TRAIL_LINK,    /* a symbolic link */
    TRAIL_MISSING, /* a name that is not there, or that we may not look at */
    TRAIL_END,     /* the last name, which is there */
};

/* @dir is absolute and has no links in it. A negative return ends the walk. */
typedef int trail_fn(void *data, enum trail_kind kind, const char *dir, const char *name);

/* Follows @path as the kernel would (path_resolution(7)) and tells each name on the way whose
 * change would make the path mean another file. Returns 0, the negative return of @fn, or
 * -ENAMETOOLONG, -ELOOP and the like; a missing name is told and is no error. */
int trail_walk(const char *path, trail_fn *fn, void *data) _must_check_;
