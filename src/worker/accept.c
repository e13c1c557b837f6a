/* SPDX-License-Identifier: MIT */
/* Taking connections. The listening sockets are shared by all workers; EPOLLEXCLUSIVE makes a new
 * connection wake one that waits, not all. A connection is served as soon as it is taken, before
 * the next one is, so that a worker never holds connections that another could be serving. */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "loop/loop.h"
#include "worker/conn.h"
#include "worker/dispatch.h"
#include "worker/worker-private.h"

#define ACCEPT_BATCH   16                /* then the other connections have their turn */
#define ACCEPT_REST_US (100 * US_PER_MS) /* when the process has no descriptor left */
#define BUSY_US        (100 * US_PER_MS) /* without a thread for a request, before it accepts */
#define SHARE_US       US_PER_MS /* to the next one, for who has more connections than others */
#define REST_LOG_US    (10 * US_PER_SEC) /* between two lines about it */
#define LAST_US        (5 * US_PER_SEC)  /* for what waits on a UNIX socket at the end */

/* EPOLLEXCLUSIVE can only be said when a descriptor is added (epoll_ctl(2)). */
static int listen_to(struct acceptor *a)
{
    return loop_io_add(a->worker->loop, &a->io, EPOLLIN | EPOLLEXCLUSIVE);
}

static void listen_again(struct worker *w)
{
    for (size_t i = 0; i < w->n_acceptors; i++) {
        int r = listen_to(&w->acceptors[i]);
        if (r < 0)
            (void)log_errno(LOG_ERR, r, "%s: cannot accept again", w->acceptors[i].name);
    }
}

static void on_accept_timer(struct loop_timer *t)
{
    struct worker *w = container_of(t, struct worker, accept_timer);

    if (w->accept_paused && w->start->shared_listeners && !dispatch_may_call(w))
        loop_timer_set(w->loop, t, loop_now_us(w->loop) + BUSY_US);
    else
        listen_again(w);
}

static void stop_listening(struct worker *w, uint64_t for_us)
{
    for (size_t i = 0; i < w->n_acceptors; i++)
        loop_io_remove(w->loop, &w->acceptors[i].io);
    loop_timer_set(w->loop, &w->accept_timer, loop_now_us(w->loop) + for_us);
}

void accept_pause(struct worker *w)
{
    if (!w->accepting || loop_timer_is_set(&w->accept_timer))
        return;
    stop_listening(w, BUSY_US);
    w->accept_paused = true;
}

void accept_resume(struct worker *w)
{
    bool pausing = w->accept_paused && loop_timer_is_set(&w->accept_timer);

    w->accept_paused = false;
    if (!pausing || !w->accepting)
        return;
    loop_timer_clear(w->loop, &w->accept_timer);
    listen_again(w);
}

/* No descriptor, no memory: waiting connections stay in the backlog for a while. */
static void rest(struct worker *w, int error)
{
    uint64_t now = loop_now_us(w->loop);

    if (w->rest_logged_us == 0 || now - w->rest_logged_us >= REST_LOG_US) {
        (void)log_errno(LOG_ERR, error, "cannot accept connections for the moment");
        w->rest_logged_us = now;
    }
    stop_listening(w, ACCEPT_REST_US);
}

/* Accepts one connection, which is NULL if there was no memory for it or its client had gone.
 * Returns 0, or a negative errno (-EAGAIN: there is none). */
static int accept_one(struct acceptor *a, struct conn **ret)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);

    int fd = accept4(a->io.fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        *ret = conn_open(a->worker, a, fd, (struct sockaddr *)&peer);
        return 0;
    }
    *ret = NULL;
    switch (errno) {
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case EBADF: /* these three: the application has done something to the socket */
    case EINVAL:
    case ENOTSOCK:
        return -errno;
    default: /* accept(2): errors of the connection that is gone already, and EINTR */
        return 0;
    }
}

/* The kernel wakes the first that waits, and the order never changes by itself: whoever has got a
 * connection to keep goes to the end, so that they spread over the workers. In a burst those that
 * were woken may not have run yet: who has more than its share leaves them a moment. */
static void queue_up(struct acceptor *a)
{
    const struct worker *w = a->worker;

    if (scoreboard_has_many(w->start->board, w->start->id)) {
        stop_listening(a->worker, SHARE_US);
        return;
    }
    loop_io_remove(a->worker->loop, &a->io);
    int r = listen_to(a);
    if (r < 0)
        rest(a->worker, r); /* and tries again */
}

static void on_readable(struct loop_io *io, uint32_t events)
{
    struct acceptor *a = container_of(io, struct acceptor, io);
    const struct worker *w = a->worker;
    const struct list *newest = w->conns.prev;

    /* Among several workers each takes one at a time: the next one may wake somebody idle. */
    int batch = scoreboard_n_workers(w->start->board) > 1 ? 1 : ACCEPT_BATCH;

    (void)events;
    for (int i = 0; i < batch && !w->draining; i++) {
        struct conn *c = NULL;
        int r = accept_one(a, &c);
        if (r == -EAGAIN)
            return;
        if (r < 0) {
            rest(a->worker, r);
            return;
        }
        if (c && a->tls)
            conn_begin_tls(c);
        else if (c)
            conn_read(c); /* the first bytes are usually here already */
    }
    if (loop_timer_is_set(&w->accept_timer))
        return; /* what was served took long, and accepting rests since then */
    if (batch == 1 && !w->draining && w->conns.prev != newest)
        queue_up(a);
}

/* SERVER_NAME and SERVER_PORT: the address that is listened on; for "every address" and for UNIX
 * sockets the machine's name. */
static void name_server(struct acceptor *a)
{
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa);
    char text[sizeof(struct sockaddr_un) + 8];

    if (gethostname(a->server_name, sizeof(a->server_name) - 1) < 0)
        (void)snprintf(a->server_name, sizeof(a->server_name), "localhost");
    (void)snprintf(a->server_port, sizeof(a->server_port), "%s", a->tls ? "443" : "80");
    if (getsockname(a->io.fd, (struct sockaddr *)&sa, &len) < 0 || sa.ss_family == AF_UNIX)
        return;

    (void)addr_format((struct sockaddr *)&sa, len, text, sizeof(text));
    char *colon = strrchr(text, ':');
    *colon = '\0';
    (void)snprintf(a->server_port, sizeof(a->server_port), "%.5s", colon + 1);
    if (strcmp(text, "0.0.0.0") != 0 && strcmp(text, "[::]") != 0)
        (void)snprintf(a->server_name, sizeof(a->server_name), "%.250s", text);
}

void accept_prepare(struct worker *w)
{
    w->accept_timer.fn = on_accept_timer;
    for (size_t i = 0; i < w->n_acceptors; i++) {
        struct acceptor *a = &w->acceptors[i];
        *a = (struct acceptor){
            .io = {.fd = w->start->listeners[i].fd, .fn = on_readable},
            .worker = w,
            .id = w->start->listeners[i].id,
            .name = w->start->listeners[i].name,
            .protocol = w->start->listeners[i].protocol,
            .tls = w->start->listeners[i].tls,
        };
        name_server(a);
    }
}

int accept_start(struct worker *w)
{
    int r = 0;

    w->accepting = true;
    for (size_t i = 0; i < w->n_acceptors && r == 0; i++)
        r = listen_to(&w->acceptors[i]);
    return r;
}

/* Accepts one connection whose requests come later: an application that was called now would keep
 * the worker from ending, and other threads would find it half ended. Returns false when there are
 * no more. */
static bool accept_for_later(struct acceptor *a)
{
    struct conn *c = NULL;

    if (accept_one(a, &c) < 0)
        return false;
    if (c && a->tls)
        conn_begin_tls(c); /* which needs more than one message of the client */
    else if (c)
        (void)conn_listen(c);
    return true;
}

/* Takes the connections that wait, but not those that go on coming: of TCP the kernel says how many
 * wait; a UNIX socket, of which it does not, gets some time. */
static void accept_waiting(struct acceptor *a)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    bool known = getsockopt(a->io.fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0;
    unsigned left = known ? info.tcpi_unacked : UINT_MAX;
    uint64_t end_us = clock_now_us() + LAST_US;

    while (left-- > 0 && (known || clock_now_us() < end_us) && accept_for_later(a))
        ;
}

void accept_stop(struct worker *w, bool last)
{
    loop_timer_clear(w->loop, &w->accept_timer);
    for (size_t i = 0; i < w->n_acceptors; i++) {
        struct acceptor *a = &w->acceptors[i];
        /* With a successor, one is taken all the same: the kernel may have woken us for it, and
         * then it wakes nobody else. */
        if (last)
            accept_waiting(a);
        else
            (void)accept_for_later(a); /* whatever it says, this was the last */
        loop_io_remove(w->loop, &a->io);
        closep(&a->io.fd);
        a->io.fd = -1;
    }
    w->accepting = false;
}
