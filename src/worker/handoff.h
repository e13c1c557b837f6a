/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/macro.h"
#include "base/net.h"

struct conn;
struct worker;

/* Passing a client's connection to another worker of the instance, through its queue (queue.h): the
 * socket, and everything that has been read from it and is not answered. */

enum handoff_kind {
    HANDOFF_IDLE = 1, /* no byte of a request is here */
    HANDOFF_REQUEST,  /* a complete request is */
};

/* What an entry of the queue begins with. Both sides are workers of one instance and one build. */
struct handoff_entry {
    uint32_t kind;     /* enum handoff_kind */
    uint32_t listener; /* struct worker_listener, id */
    uint32_t protocol; /* enum proto_id: that of a listener may change with a reload */
    uint32_t n_requests;
    uint32_t head_len, rest_len;
    uint32_t inline_len; /* of the body: here; the rest of it is in the file */
    uint64_t body_len;
    uint64_t ready_us;
    struct net_addr client;
    char remote_port[6];
    bool proxy_due, client_tls;
};

/* The whole entry of @c when it is idle. */
void handoff_describe_idle(const struct conn *c, struct handoff_entry *ret);

/* Gives @c away: an idle one, or one whose complete request stands in c->x->in with what follows
 * it. On success another process has it, and what is here is to be freed with conn_let_go().
 * Returns 0; -EAGAIN if there is no room in the queue; -E2BIG if the request is too large; or
 * another negative errno. */
int handoff_give(struct conn *c) _must_check_;

/* Takes a connection out of the queue. Returns what it is (enum handoff_kind) with *@ret, whose
 * request can be served, if it has one; 0 when the entry came to nothing: its client has gone, say;
 * -EAGAIN when there was none; or another negative errno. */
int handoff_take(struct worker *w, struct conn **ret) _must_check_;
