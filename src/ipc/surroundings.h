/* SPDX-License-Identifier: MIT */
#pragma once

#include <sys/resource.h>

#include "base/macro.h"
#include "liege/option.h"

/* What a forked vassal has to be told that execve(2) would have given it. */
struct surroundings {
    char *cwd;
    struct rlimit nofile;
    struct liege_list environ; /* of an Emperor of uWSGI there is none: the base's is taken */
};

void surroundings_done(struct surroundings *s);

/* The file in memory. Returns a descriptor or a negative errno. */
int surroundings_seal(const struct surroundings *s) _must_check_;

/* Reads what surroundings_seal() has written. The result is to be released either way. Returns 0 or
 * a negative errno. */
int surroundings_read(int fd, struct surroundings *ret) _must_check_;
