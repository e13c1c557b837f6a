/* SPDX-License-Identifier: MIT */
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include "base/errmsg.h"

/* Whether a text may name sources that run commands or fetch. All zero: it may. */
struct trust {
    enum trust_flaw {
        TRUST_NO_FLAW,
        TRUST_OWNER,    /* the file is somebody else's */
        TRUST_WRITABLE, /* the file's group, or everybody, may write to it */
        TRUST_DISTANT,  /* it came over the network, or from an Emperor, who may have it from there
                         */
        TRUST_FLAW_COUNT,
    } flaw;
    uid_t owner; /* with TRUST_OWNER */
    mode_t mode; /* with TRUST_WRITABLE: the permissions */
};

/* What the file that @st describes may do in a process that runs as @uid: it is to be root's or
 * @uid's, and nobody else's to write to. @st is of the opened file, so that nobody can put another
 * one in its place. */
struct trust trust_of_file(const struct stat *st, uid_t uid);

/* Of two, the one that may do less: a value that is put together from both has it. */
struct trust trust_weaker(struct trust a, struct trust b);

/* Returns 0 if @t may name @shown, or -EPERM with @err saying why not, and the way out. */
int trust_check(const struct trust *t, const char *shown, struct errmsg *err) _must_check_;
