/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/errmsg.h"

/* Which file a UNIX socket made; all zero when it made none. */
struct sock_file {
    dev_t dev;
    ino_t ino;
};

/* A socket that listens already. */
struct sock_kept {
    int fd; /* -1: none */
    struct sock_file file;
};

/* How a listening socket is made. */
struct sock_options {
    int backlog;
    mode_t mode; /* of a UNIX socket's file */
    uid_t uid;   /* its owner, -1: whoever we are */
    gid_t gid;
    bool at_once;                 /* whoever listens there is not waited for */
    bool speaks_first;            /* clients send nothing: they are seen when they connect */
    const struct sock_kept *kept; /* this is it; nothing is bound. NULL, or with fd -1: make one */
};

/* Binds and listens: non-blocking, close-on-exec. The file of a UNIX socket is made under another
 * name and renamed, so that it is there with its owner and mode from the first moment; a stale file
 * is replaced, one that somebody listens on is refused. A socket whose last owner is just going
 * away is waited for, at most SOCK_TAKEOVER_MS, unless it has to be at once. Of fd://N the
 * descriptor is checked and returned. Returns the descriptor, or a negative errno with @err. Does
 * not log. */
int sock_listen(const struct addr *a, const struct sock_options *options,
                struct sock_file *ret_file, struct errmsg *err) _must_check_;

#define SOCK_TAKEOVER_MS 2000

/* Gives the file at @path, if it still is @file, the owner and mode of @options; what is right is
 * not touched. Returns 0, -ESTALE if it is another file, or another negative errno. */
int sock_adjust(const char *path, const struct sock_file *file,
                const struct sock_options *options) _must_check_;

/* The address at which clients reach the listening stream socket @fd, as addr_parse() would give
 * it. Of a UNIX socket that sock_listen() has made it is the name that its file has got since.
 * Returns 0, or -ENOTSOCK, -EINVAL (it does not listen), -EAFNOSUPPORT or another negative errno.
 */
int sock_find_addr(int fd, struct addr *ret) _must_check_;

/* Removes the file at @path if it still is @file, not a successor's. */
void sock_unlink(const char *path, const struct sock_file *file);
