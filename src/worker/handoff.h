/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/macro.h"

struct conn;
struct worker;

/* Passing a client's connection to another worker of the instance, through its queue (queue.h): the
 * socket, and everything that has been read from it and is not answered. */

enum handoff_kind {
    HANDOFF_IDLE = 1, /* no byte of a request is here */
    HANDOFF_REQUEST,  /* a complete request is */
};

/* Gives @c away: an idle one, or one whose complete request stands in c->x->in with what follows
 * it. On success another process has it, and what is here is to be freed with conn_let_go().
 * Returns 0; -EAGAIN if there is no room in the queue; -E2BIG if the request is too large; or
 * another negative errno. */
int handoff_give(struct conn *c) _must_check_;

/* Takes a connection out of the queue. Returns what it is (enum handoff_kind) with *@ret, whose
 * request can be served, if it has one; 0 when the entry came to nothing: its client has gone, say;
 * -EAGAIN when there was none; or another negative errno. */
int handoff_take(struct worker *w, struct conn **ret) _must_check_;
