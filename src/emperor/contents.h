/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

#include "base/errmsg.h"
#include "emperor/emperor-conf.h"

/* What the Emperor itself reads in a configuration file: which vassals it holds, by what a new
 * version of each is told from the old one, and the attributes that it has for the Emperor. What
 * the settings mean is for the vassals to find out. */
struct contents {
    struct contents_part {
        char *name;      /* of [vassal:NAME] */
        uint64_t digest; /* of its section, and of what is common to all */
    } * parts;
    size_t n_parts;               /* 0: the file is one vassal */
    uint64_t digest;              /* of the whole file */
    struct liege_list attributes; /* KEY=VALUE of section [emperor], of the keys that are wanted */
};

/* Reads the file at @path, in the format that its name says. Only a regular file of at most a
 * mebibyte is looked into; of others, and of what has no known format, the contents are empty and
 * the digest 0. @conf says which attributes are wanted. Returns 0, or a negative errno with @err;
 * after -EINVAL, which is a syntax error, the digest is known; -E2BIG: it has more than a thousand
 * sections of vassals. */
int contents_read(const char *path, const struct emperor_conf *conf, struct contents *ret,
                  struct errmsg *err) _must_check_;
void contents_done(struct contents *c);
