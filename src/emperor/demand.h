/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "base/errmsg.h"
#include "base/sock.h"
#include "loop/loop.h"

/* The socket of a vassal that runs on demand: bound once, and held by the Emperor for as long as
 * the vassal is known, so that neither its file nor a connection that waits in it is ever lost.
 * While the vassal does not run the Emperor listens for the first connection, which it leaves to
 * the vassal to accept. */
struct demand {
    struct loop *loop;
    char *address; /* as it was configured */
    struct addr addr;
    struct sock_file file;
    struct loop_io io;
    bool listening;
    bool broken; /* found when it was listened to: a process that had it has shut it down */
    void (*on_call)(struct demand *d); /* somebody connects, or it is broken; called until
                                          demand_listen(d, false) */
    void *data;                        /* the owner's */
};

/* Binds @address. Does not wait for whoever listens there now. Returns 0, or a negative errno with
 * @err. */
int demand_new(struct loop *l, const char *address, void (*on_call)(struct demand *d), void *data,
               struct demand **ret, struct errmsg *err) _must_check_;

/* Takes over @fd, which listens on @address already. Returns as demand_new(). */
int demand_adopt(struct loop *l, const char *address, const struct sock_file *file, int fd,
                 void (*on_call)(struct demand *d), void *data, struct demand **ret,
                 struct errmsg *err) _must_check_;

/* Whether connections are told of. */
void demand_listen(struct demand *d, bool on);

/* Binds the address anew; nobody listens to it then. Returns 0, or a negative errno with @err: then
 * there is no socket any more. */
int demand_renew(struct demand *d, struct errmsg *err) _must_check_;

/* Closes the socket and removes its file. Takes NULL. */
struct demand *demand_free(struct demand *d);
