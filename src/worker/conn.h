/* SPDX-License-Identifier: MIT */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "http/body.h"
#include "http/head.h"
#include "loop/loop.h"
#include "proto/h1.h"

struct acceptor;
struct worker;

/* A client's connection. Idle, it holds no buffer: bytes are read into the worker's scratch memory
 * and parsed there; only what must outlast the callback is copied. */

enum conn_state {
    CONN_IDLE,   /* no byte of a request yet */
    CONN_HEAD,   /* part of a head is here */
    CONN_BODY,   /* the head is here, part of the body is missing */
    CONN_CALL,   /* the application runs */
    CONN_WRITE,  /* the answer is complete; the client has not taken all of it */
    CONN_LINGER, /* everything is said; what the client still sends is thrown away until it closes
                    too, because closing with unread bytes would reset the connection and could
                    destroy the answer on its way (RFC 9112 section 9.6) */
    CONN_STATE_COUNT,
};

/* The answer that is being made. */
struct answer {
    bool started; /* a head was taken */
    bool sent;    /* its framing is decided: it can no longer be replaced */
    bool ended;   /* all of it was given */
    bool failed;  /* cut the connection after what has been sent */
    int status;
    struct http_draft draft;
    struct http_framed framed;
    uint64_t body_bytes; /* given by the application */
    uint64_t start_us;
};

/* A piece of a file that the loop sends when there is room. */
struct conn_file {
    int fd; /* -1: none */
    uint64_t offset, left;
};

struct conn {
    struct loop_io io;
    struct worker *worker;
    const struct acceptor *acceptor;
    struct list link;
    enum conn_state state;
    bool in_epoll;
    bool wants_write; /* what epoll was told */
    bool close_after; /* no further request on this connection */
    unsigned n_requests;
    uint64_t deadline_us; /* of the state; the timer may be set earlier and look again */
    struct loop_timer timer;
    struct loop_task more; /* pipelined requests wait for their turn */

    struct buf in;         /* bytes of a request that is not complete, or of the next ones */
    struct buf out;        /* bytes of the answer that the client has not taken */
    struct conn_file file; /* after them */
    int queued;            /* bytes that were in the kernel's hands when conn_takes() looked last */
    struct arena arena;
    struct http_body body;
    struct h1 h1;

    struct liege_request req;
    struct answer answer;

    char remote_addr[INET6_ADDRSTRLEN];
    char remote_port[6];
};

static inline struct conn *conn_of(const struct liege_request *req)
{
    return container_of(req, struct conn, req);
}

/* Takes over the accepted socket @fd and serves what it already has to say. */
void conn_open(struct worker *w, const struct acceptor *a, int fd, const struct sockaddr *peer);

/* Closes at once and frees. */
void conn_close(struct conn *c);

/* The worker finishes: an idle connection is closed when it stays idle for the worker's
 * drain_idle_us. */
void conn_drain(struct conn *c);

/* Sends the bytes that wait and then @iov, as much as the socket takes; copies the rest to c->out.
 * Returns 0 or a negative errno: the client is gone. */
int conn_send(struct conn *c, const struct iovec *iov, size_t n_iov) _must_check_;

/* Sends @len bytes of @fd from @offset on, after what waits; of the descriptor a copy is kept until
 * all is sent. No other file may be waiting. Returns 0 or a negative errno: the client is gone. */
int conn_send_file(struct conn *c, int fd, uint64_t offset, uint64_t len) _must_check_;

/* Sends what waits, as far as there is room. Returns 0 or a negative errno: the client is gone. */
int conn_flush(struct conn *c) _must_check_;

/* True if nothing waits. */
bool conn_all_sent(const struct conn *c);

/* Forgets the file that waits, if there is one. */
void conn_drop_file(struct conn *c);

/* True if the client has taken something since the last call. epoll says so only when it has taken
 * a good part of what the kernel holds, which may be megabytes. */
bool conn_takes(struct conn *c);

/* Waits until the client has taken all but @max bytes of what waits. Returns 0, -ETIMEDOUT after
 * socket-timeout without progress, or what send(2) said. */
int conn_wait_sent(struct conn *c, size_t max) _must_check_;
