/* SPDX-License-Identifier: MIT */
#pragma once

#include "instance/listen.h"
#include "instance/local-server.h"

/* Gives listening sockets of an instance to others of the same user (zerg-server, zerg-pool), which
 * serve on them from then on. */
struct zerg_server {
    struct local_server server;
    const struct listeners *(*listeners)(void *data); /* those of now */
    void *data;
};

/* There is none. */
void zerg_server_init(struct zerg_server *z);

/* Listens on the UNIX socket @address, mode 0600; @option, which must stay, is for messages.
 * Returns 0, or a negative errno with @err. */
int zerg_server_open(struct zerg_server *z, struct loop *loop, const char *option,
                     const char *address, const struct listeners *(*listeners)(void *data),
                     void *data, struct errmsg *err) _must_check_;

/* Closes it; its file is removed unless another master has made one there. */
void zerg_server_close(struct zerg_server *z);
