/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "http/body.h"
#include "http/head.h"
#include "proto/proto.h"

struct conn;
struct worker;

/* A request and its answer, from the first byte that is read to the last that is sent. Connections
 * borrow one from their worker: an idle client costs none. */

/* The answer that is being made. */
struct answer {
    bool started; /* a head was taken */
    bool sent;    /* its framing is decided: it can no longer be replaced */
    bool ended;   /* all of it was given */
    bool failed;  /* cut the connection after what has been sent */
    int status;
    struct http_draft draft;
    struct http_framed framed;
    uint64_t head_bytes;
    uint64_t body_bytes;       /* given by the application */
    uint64_t start_us, end_us; /* of the call, when requests are logged */
};

/* A piece of a file that the loop sends when there is room. */
struct exchange_file {
    int fd; /* -1: none */
    uint64_t offset, left;
};

struct exchange {
    struct conn *conn;
    struct list link; /* among the spare ones */

    struct buf in;             /* bytes of a request that is not complete, or of the next ones */
    struct buf out;            /* bytes of the answer that the client has not taken */
    struct exchange_file file; /* after them */
    int queued;                /* bytes that were in the kernel's hands when exchange_progresses()
                                  looked last */
    struct arena arena;
    struct http_body body;
    struct proto proto;
    bool untouched;    /* no byte has been parsed */
    bool alone;        /* no byte of a next request is here */
    uint64_t ready_us; /* when the request was complete, if it had to wait */

    struct liege_request req;
    struct answer answer;
    _Atomic(unsigned) n_helpers; /* threads besides the one of the call that wait to send it */
};

static inline struct exchange *exchange_of(const struct liege_request *req)
{
    return container_of(req, struct exchange, req);
}

/* An empty one, for @c. NULL: no memory. */
struct exchange *exchange_begin(struct worker *w, struct conn *c);

/* Gives it back. */
void exchange_end(struct worker *w, struct exchange *x);

/* Forgets request and answer; what is in @in and @out stays. */
void exchange_next(struct worker *w, struct exchange *x);

/* Appends to x->out a whole answer of the server's own: http_head_error(), in the style of the
 * protocol. Returns 0 or a negative errno. */
int exchange_put_error(struct exchange *x, int status,
                       const struct liege_field *extra) _must_check_;

/* Sends the bytes that wait and then @iov, as much as the socket takes; copies the rest to x->out.
 * Returns 0 or a negative errno: the client is gone. */
int exchange_send(struct exchange *x, const struct iovec *iov, size_t n_iov) _must_check_;

/* Sends @len bytes of @fd from @offset on, after what waits; of the descriptor a copy is kept until
 * all is sent. No other file may be waiting. Returns 0 or a negative errno: the client is gone. */
int exchange_send_file(struct exchange *x, int fd, uint64_t offset, uint64_t len) _must_check_;

/* Sends what waits, as far as there is room. Returns 0 or a negative errno: the client is gone. */
int exchange_flush(struct exchange *x) _must_check_;

/* True if nothing waits. */
bool exchange_all_sent(const struct exchange *x);

/* True if the client has taken something since the last call. epoll says so only when it has taken
 * a good part of what the kernel holds, which may be megabytes. */
bool exchange_progresses(struct exchange *x);

/* In a call of the application: waits until the client has taken all but @max bytes of what waits.
 * Returns 0, -ETIMEDOUT after socket-timeout without progress, or what send(2) said. */
int exchange_wait_sent(struct exchange *x, size_t max) _must_check_;

/* Makes helpers that wait give up, by closing the connection. Returns false if there are none. */
bool exchange_interrupt_helpers(struct exchange *x);
