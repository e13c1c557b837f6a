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
        TRUST_NAME,     /* a part of it is a file's name with characters that a shell acts on */
        TRUST_FLAW_COUNT,
    } flaw;
    uid_t owner; /* with TRUST_OWNER */
    mode_t mode; /* with TRUST_WRITABLE: the permissions */
};

/* What the file that @st describes may do in a process that runs as @uid: it is to be root's or
 * @uid's, and nobody else's to write to. @st is of the opened file, so that nobody can put another
 * one in its place. */
struct trust trust_of_file(const struct stat *st, uid_t uid);

/* What a name of a file may do: those who may make files, or links, choose it, and a command is a
 * shell's to read. One that is more than a word to a shell may do nothing. */
struct trust trust_of_name(const char *name);

/* Of two, the one that may do less: a value that is put together from both has it. */
struct trust trust_weaker(struct trust a, struct trust b);

/* Returns 0 if @t may name @shown, or -EPERM with @err saying why not, and the way out. */
int trust_check(const struct trust *t, const char *shown, struct errmsg *err) _must_check_;
