/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/errmsg.h"
#include "base/log.h"
#include "base/sock.h"
#include "instance/listen.h"
#include "loop/loop.h"

/* Gives listening sockets of an instance to others of the same user (zerg-server, zerg-pool), which
 * serve on them from then on. */
struct zerg_server {
    struct loop *loop;
    struct loop_io io; /* fd -1: there is none */
    struct loop_timer pause;
    struct addr addr;
    struct sock_file file;
    struct log_limit lines;
    const char *option;                               /* that wants it */
    const struct listeners *(*listeners)(void *data); /* those of now */
    void *data;
};

/* Listens on the UNIX socket @address, mode 0600; @option, which must stay, is for messages.
 * Returns 0, or a negative errno with @err. */
int zerg_server_open(struct zerg_server *z, struct loop *loop, const char *option,
                     const char *address, const struct listeners *(*listeners)(void *data),
                     void *data, struct errmsg *err) _must_check_;

/* Closes it; its file is removed unless another master has made one there. */
void zerg_server_close(struct zerg_server *z);
