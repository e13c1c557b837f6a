/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/list.h"
#include "base/net.h"
#include "loop/loop.h"
#include "worker/exchange.h"

struct acceptor;
struct kept;
struct proxy_header;
struct tls;
struct worker;

/* A client's connection. Idle, it holds nothing but this: bytes are read into scratch memory and
 * parsed there; what a request needs hangs on it as long as the request is not answered. */

enum conn_state {
    CONN_HANDSHAKE, /* TLS is being agreed on */
    CONN_IDLE,      /* no byte of a request yet */
    CONN_HEAD,      /* part of a head is here */
    CONN_BODY,      /* the head is here, part of the body is missing */
    CONN_READY,     /* the request is complete and waits for the application */
    CONN_CALL,      /* the application has it, on some thread; the loop leaves it alone */
    CONN_WRITE,     /* the answer is complete; the client has not taken all of it */
    CONN_LINGER, /* everything is said; what the client still sends is thrown away until it closes
                    too, because closing with unread bytes would reset the connection and could
                    destroy the answer on its way (RFC 9112 section 9.6) */
    CONN_STATE_COUNT,
};

struct conn {
    struct loop_io io;
    struct worker *worker;
    const struct acceptor *acceptor;
    enum proto_id protocol;
    struct tls *tls;  /* NULL: plain */
    struct list link; /* in worker->conns, or in worker->ready, or spare */
    enum conn_state state;
    uint32_t listens; /* what epoll was told; 0: it does not know the connection */
    bool open;        /* it has a request: struct worker.n_open */
    bool close_after; /* no further request on this connection */
    bool proxy_due;   /* a PROXY header must come first */
    bool trusted;     /* the peer may say who the client is: worker->forwarded */
    bool client_tls;  /* the client uses TLS, as the PROXY header says */
    bool warned;      /* its call has taken half of harakiri */
    unsigned n_requests;
    uint64_t since_us;    /* of the state */
    uint64_t deadline_us; /* of the state; the timer may be set earlier and look again */
    struct loop_timer timer;
    struct loop_task more; /* pipelined requests wait for their turn */
    struct exchange *x;    /* the request; NULL when there is none */
    struct kept *kept;     /* for the keeper; NULL: it knows nothing of it */

    struct net_addr client; /* the peer, or whom its PROXY header names */
    char remote_addr[NET_ADDR_TEXT];
    char remote_port[6];
};

/* Makes a connection of the accepted socket @fd. What its client has sent is not read yet. NULL if
 * there is no memory; the socket is closed then. */
struct conn *conn_open(struct worker *w, const struct acceptor *a, int fd,
                       const struct sockaddr *peer) _must_check_;

/* Makes a connection of a socket that another worker gave; its address is the caller's to fill in.
 * NULL if there is no memory; the socket is closed then. */
struct conn *conn_adopt(struct worker *w, const struct acceptor *a, int fd);

/* Says who the client is; @port 0: it has none. */
void conn_set_client(struct conn *c, const struct net_addr *client, uint16_t port);

/* Closes the connection of a peer that must send a PROXY header and does not. */
void conn_refuse_proxy(struct conn *c, const char *reason);

/* Closes at once and frees. */
void conn_close(struct conn *c);

/* Frees what is here of a connection that another worker has now. */
void conn_let_go(struct conn *c);

/* All is said: waits for the client to close too. */
void conn_finish(struct conn *c);

/* The same for a client that has said that it sends nothing more: closes at once. */
void conn_hang_up(struct conn *c);

/* Answers a request that will not reach an application, unless there is nobody to answer (@status
 * is 0, or nothing of a request is here), and closes. @retry_s: when to come again, in seconds, or
 * 0. */
void conn_refuse(struct conn *c, int status, unsigned retry_s, const char *reason);

/* The worker finishes: an idle connection goes to another worker, or is closed when it stays idle
 * for the worker's drain_idle_us. */
void conn_drain(struct conn *c);

/* For the parts of a connection */

void conn_set_state(struct conn *c, enum conn_state state);

/* Tells epoll what the state waits for, if it does not know yet. Returns false when the connection
 * had to be closed. */
bool conn_listen(struct conn *c);

/* The request is answered and nothing of the next one is here. */
void conn_go_idle(struct conn *c);

/* An idle connection is about to be more than that: should the worker die from now on, it is lost.
 */
void conn_leave_idle(struct conn *c);

/* The answer is on its way as a whole, and nothing else is here: should the worker die from now on,
 * the connection goes on. For the thread of the call, which may have to wait for the lead. */
void conn_hold_answered(struct conn *c);

/* The exchange of @c, which is begun if there is none. NULL: no memory; @c is closed then. */
struct exchange *conn_exchange(struct conn *c);

/* For lines of the log. */
const char *conn_peer(const struct conn *c);

/* The worker finishes: @c, which is idle, waits no longer than drain_idle_us, but @grace_us at
 * least. */
void conn_shorten_idle(struct conn *c, uint64_t grace_us);
#define CONN_NEW_IDLE_US US_PER_SEC /* for a first request that is probably on its way */

/* TLS (conn-tls.c) */

/* Begins TLS on a new connection. */
void conn_begin_tls(struct conn *c);

/* Goes on with its handshake, and reads when that is done. */
void conn_shake_hands(struct conn *c);

/* Reading (conn-read.c) */

/* Believes the PROXY header @h. */
void conn_take_proxy(struct conn *c, const struct proxy_header *h);

/* Reads what the client has sent and does what follows from it. */
void conn_read(struct conn *c);

/* Goes on with the bytes that wait in c->x->in. */
void conn_read_on(struct conn *c);

/* Has the complete request in c->x->in answered, and goes on. */
void conn_serve_ready(struct conn *c);
