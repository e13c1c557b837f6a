/* SPDX-License-Identifier: MIT */
#pragma once

#include <jansson.h>

#include "base/sock.h"
#include "emperor/court.h"

/* An Emperor becomes the program that is on the disk now: the same process, by execve(2). Its
 * vassals go on as its children, and what it knows of them goes through a sealed memfd. */

/* The listening sockets that an Emperor has of its own. */
enum upgrade_socket { UPGRADE_STATS, UPGRADE_CONTROL, UPGRADE_SOCKET_COUNT };

/* What the program before left. All zero: nothing, this is a start. */
struct upgrade {
    json_t *state; /* NULL: none */
    char *text;    /* of the memfd: what @blobs is in */
    const char *blobs;
    size_t n_blob_bytes;
    struct sock_kept sockets[UPGRADE_SOCKET_COUNT]; /* fd -1: none */
    struct rlimit nofile;                           /* that vassals get; of @state */
};

/* Finds it by the environment, from which it is removed. Returns 0, or a negative errno with @err
 * if it is there and cannot be read. */
int upgrade_find(struct upgrade *u, struct errmsg *err) _must_check_;
void upgrade_done(struct upgrade *u);

/* Returns 0, or -EPROTO with @err if this program does not understand it. */
int upgrade_check(const struct upgrade *u, struct errmsg *err) _must_check_;

/* True until upgrade_done(), in a program that was started by an upgrade. */
bool upgrade_is_under_way(void);

static inline bool upgrade_goes_on(const struct upgrade *u)
{
    return u->state != NULL;
}

/* Makes the vassals of before. @monitors are those of now. Those that cannot be taken over are
 * named in the log and end. */
void upgrade_restore(struct upgrade *u, struct court *c, struct monitor *const *monitors,
                     size_t n_monitors);

/* Becomes the program at @path. Returns only on failure, with a negative errno, and then all is as
 * it was. */
int upgrade_exec(const char *path, char *const *argv, const struct court *c,
                 const struct sock_kept sockets[UPGRADE_SOCKET_COUNT]);

/* Called when the program that was started by an upgrade cannot go on: becomes the one before
 * again, with all that it left. Returns only if there is none, or on failure. */
void upgrade_fall_back(char *const *argv);
