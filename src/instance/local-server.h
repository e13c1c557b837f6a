/* SPDX-License-Identifier: MIT */
#pragma once

#include <sys/socket.h>

#include "base/errmsg.h"
#include "base/log.h"
#include "base/sock.h"
#include "loop/loop.h"

/* A UNIX socket at which a master serves other processes of this machine: who connects is let in or
 * refused by who it is, and never read from here. */
struct local_server {
    struct loop *loop; /* NULL: does not accept yet */
    struct loop_io io; /* fd -1: there is none */
    struct loop_timer pause;
    struct addr addr;
    struct sock_file file;
    struct log_limit lines; /* for what @serve logs about who connects */
    const char *option;     /* that wants it */

    /* Does with the connection @fd, which is closed afterwards, what it is for. */
    void (*serve)(struct local_server *s, int fd, const struct ucred *peer);
};

/* Listens on the UNIX socket @address, mode 0600; @option, which must stay, is for messages.
 * Returns 0, or a negative errno with @err. */
int local_server_open(struct local_server *s, const char *option, const char *address,
                      void (*serve)(struct local_server *s, int fd, const struct ucred *peer),
                      struct errmsg *err) _must_check_;

/* Accepts from now on. Who connects learns the credentials that the process has now, also when it
 * had others as it was opened. Returns 0, or a negative errno with @err. */
int local_server_start(struct local_server *s, struct loop *loop, struct errmsg *err) _must_check_;

/* True if a line about who connects may be logged now. */
bool local_server_may_log(struct local_server *s);

/* Closes it; its file is removed unless another process has made one there. */
void local_server_close(struct local_server *s);
