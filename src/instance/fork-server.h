/* SPDX-License-Identifier: MIT */
#pragma once

#include "instance/local-server.h"
#include "ipc/link.h"

struct generation;

#define FORK_SERVER_STRANGERS 16

/* The door of a base vassal: its Emperor, and nobody else, has vassals forked through it. What is
 * asked for is read by the process that is forked for it (adopted.h); from here a connection goes
 * to the zygote as it is. */
struct fork_server {
    struct local_server server;
    char *address; /* as the Emperor knows it: absolute */
    pid_t emperor;
    struct ucred strangers[FORK_SERVER_STRANGERS];      /* the last that were named in the log */
    size_t n_strangers;                                 /* that ever were */
    const struct generation *(*generation)(void *data); /* to be forked from; NULL: none */
    void *data;
};

/* There is none. */
void fork_server_init(struct fork_server *f, const struct generation *(*generation)(void *data),
                      void *data);

/* Makes the socket @address, for the process @emperor. Returns 0, or a negative errno with @err. */
int fork_server_open(struct fork_server *f, const char *address, pid_t emperor,
                     struct errmsg *err) _must_check_;

static inline bool fork_server_exists(const struct fork_server *f)
{
    return f->server.io.fd >= 0;
}

/* Accepts from now on. Returns 0, or a negative errno with @err. */
int fork_server_start(struct fork_server *f, struct loop *loop, struct errmsg *err) _must_check_;

/* Tells the Emperor from which generation vassals are forked now. */
void fork_server_tell(const struct fork_server *f, const struct link *link);

void fork_server_close(struct fork_server *f);
