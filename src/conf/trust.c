/* SPDX-License-Identifier: MIT */
/* Who may make the server run a command or fetch a text while it reads its configuration.
 *
 * A configuration is read with the rights that the process has then, often root's, and it may be a
 * file of somebody who has fewer. Such a file may say how its own application is served; it may not
 * act with our rights. The command line and the environment are as trusted as the process. Called
 * by source.c, which reads files, and by expand.c, where values of several origins meet. */
#include "conf/trust.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

struct trust trust_of_file(const struct stat *st, uid_t uid)
{
    if (st->st_uid != 0 && st->st_uid != uid)
        return (struct trust){.flaw = TRUST_OWNER, .owner = st->st_uid};
    if (st->st_mode & (S_IWGRP | S_IWOTH))
        return (struct trust){.flaw = TRUST_WRITABLE, .mode = st->st_mode & 07777};
    return (struct trust){0};
}

struct trust trust_of_name(const char *name)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+.,:/@%=";

    return (struct trust){.flaw = name[strspn(name, plain)] != '\0' ? TRUST_NAME : TRUST_NO_FLAW};
}

struct trust trust_weaker(struct trust a, struct trust b)
{
    return a.flaw != TRUST_NO_FLAW ? a : b;
}

int trust_check(const struct trust *t, const char *shown, struct errmsg *err)
{
    switch (t->flaw) {
    case TRUST_NO_FLAW:
        return 0;
    case TRUST_OWNER:
        return errmsg_set(err, -EPERM,
                          "'%s' is said by a file of user %u, and only files of root and of the "
                          "user that liege runs as may run commands or fetch: say it in such a "
                          "file, or on the command line",
                          shown, (unsigned)t->owner);
    case TRUST_WRITABLE:
        return errmsg_set(err, -EPERM,
                          "'%s' is said by a file that others may write to (mode %04o), which may "
                          "neither run commands nor fetch: chmod go-w",
                          shown, (unsigned)t->mode);
    case TRUST_DISTANT:
        return errmsg_set(err, -EPERM,
                          "'%s' is said by a text that is no file of this machine, which may "
                          "neither run commands nor fetch: include a file that says it",
                          shown);
    case TRUST_NAME:
        return errmsg_set(err, -EPERM,
                          "'%s' has the name of a file or folder in it, with characters that a "
                          "shell acts on: rename it",
                          shown);
    default:
        assert(t->flaw < TRUST_FLAW_COUNT);
        return -EPERM;
    }
}
