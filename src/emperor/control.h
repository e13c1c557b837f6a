/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/addr.h"
#include "base/cred.h"
#include "base/errmsg.h"
#include "emperor/court.h"

/* The Emperor's control socket: root and the Emperor's own user may ask for the state of vassals
 * and say what shall happen to them. docs/emperor.md has the protocol. */
struct control;

/* Reads what emperor-control says. Returns 0 or a negative errno with @err. */
int control_check_address(const char *path, struct addr *ret, struct errmsg *err) _must_check_;

/* Listens on the UNIX socket @path, whose file belongs to @owner and is for nobody else; @kept (or
 * NULL) is one that listens there already. Returns 0
 * or a negative errno with @err. The court and its loop must outlive it. */
int control_new(struct court *c, const char *path, const struct cred *owner,
                const struct sock_kept *kept, struct control **ret,
                struct errmsg *err) _must_check_;

/* The socket that it listens on. */
struct sock_kept control_socket(const struct control *c);

/* Closes everything and removes the socket's file. */
struct control *control_free(struct control *c);
