/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "base/buf.h"

/* What the magic variables tell about one configuration file. */
struct magic_file {
    const char *spec;    /* as it was written: "vassals/app.ini" */
    const char *path;    /* absolute */
    const char *section; /* the one being read, or "" */
    ino_t inode;
};

struct magic {
    const struct magic_file *file;  /* being loaded: %n */
    const struct magic_file *first; /* the first that is no include: %N */
    const char *cwd, *binary, *version;
    struct timeval now; /* of the wall clock, when the load began */
};

/* Appends @text to @out with every %x replaced; %% is %, and %( is left for later. An unknown %x
 * stays as it is, and the first one is put into *@ret_unknown, which is else '\0'. Returns 0 or
 * -ENOMEM. */
int magic_expand(const struct magic *m, const char *text, struct buf *out,
                 char *ret_unknown) _must_check_;
