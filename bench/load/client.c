/* SPDX-License-Identifier: MIT */
/* A client of the load: one connection, one request at a time. It opens a connection when it has
 * none, sends, takes the answer, and says how the request ended; what comes of that is main.c's.
 * All calls are non-blocking; events are edge-triggered, so each call goes on until EAGAIN. */
#include "load/client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

/* clang-format off */
static const char *const progress_names[] = {
    [PROGRESS_GOING_ON]      = "going-on",
    [PROGRESS_ANSWERED]      = "answered",
    [PROGRESS_NO_CONNECTION] = "no-connection",
    [PROGRESS_END_ON_REUSE]  = "end-on-reuse",
    [PROGRESS_NO_ANSWER]     = "no-answer",
    [PROGRESS_SHORT]         = "short",
    [PROGRESS_INVALID]       = "invalid",
    [PROGRESS_TIMEOUT]       = "timeout",
    [PROGRESS_IDLE_END]      = "idle-end",
};
/* clang-format on */
_Static_assert(COUNT_OF(progress_names) == PROGRESS_COUNT, "one name for each progress");

const char *progress_name(enum progress p)
{
    return progress_names[p];
}

void client_init(struct client *c, bool keep_alive)
{
    *c = (struct client){.keep_alive = keep_alive, .fd = -EBADF};
    list_init(&c->link);
}

void client_close(struct client *c)
{
    if (c->fd >= 0)
        (void)close(c->fd); /* a socket that nobody reads any more */
    c->fd = -EBADF;
    c->used = false;
    c->refused = false;
}

/* Non-blocking: the connection may still be under way afterwards. */
static int open_connection(struct client *c, const struct addr *to, int epoll_fd)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    int one = 1;

    c->fd = socket(to->sa.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        return -errno;
    if (to->sa.any.sa_family != AF_UNIX &&
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
        return -errno;
    if (connect(c->fd, &to->sa.any, to->len) < 0 && errno != EINPROGRESS)
        return -errno;
    return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e) < 0 ? -errno : 0;
}

static void write_head(struct client *c, const struct plan_kind *k)
{
    char length[40] = "";

    if (k->upload_bytes > 0)
        (void)snprintf(length, sizeof(length), "Content-Length: %llu\r\n",
                       (unsigned long long)k->upload_bytes);
    int n = snprintf(c->head, sizeof(c->head),
                     "%s %s HTTP/1.1\r\nHost: bench\r\nX-Id: %llu\r\n%s%s\r\n", k->method,
                     k->target, (unsigned long long)c->request->id, length,
                     c->keep_alive ? "" : "Connection: close\r\n");
    c->head_len = (size_t)n; /* the plan's strings are bounded, so it fits */
    c->head_sent = 0;
    c->upload_bytes = k->upload_bytes;
    c->upload_sent = 0;
}

/* The request is over. */
static enum progress finish(struct client *c, enum progress p)
{
    if (p != PROGRESS_ANSWERED || c->answer.close || !c->keep_alive)
        client_close(c);
    else
        c->used = true;
    c->request = NULL;
    return p;
}

/* The server ended the connection, or it broke. */
static enum progress ended(struct client *c)
{
    if (!c->request) {
        client_close(c);
        return PROGRESS_IDLE_END;
    }
    switch (answer_end(&c->answer)) {
    case ANSWER_WHOLE:
        c->answer.close = true;
        return finish(c, PROGRESS_ANSWERED);
    case ANSWER_NONE:
        if (c->refused)
            return finish(c, PROGRESS_NO_CONNECTION);
        return finish(c, c->used ? PROGRESS_END_ON_REUSE : PROGRESS_NO_ANSWER);
    case ANSWER_BEGUN:
        return finish(c, PROGRESS_SHORT);
    default:
        return finish(c, PROGRESS_INVALID);
    }
}

/* One send(2). Errors are left to receiving, for an answer may be there all the same; but the one
 * that says that there is no connection is told once only. */
static ssize_t send_piece(struct client *c, const char *data, size_t len, int flags)
{
    ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL | flags);

    c->refused = c->refused || (n < 0 && errno == ECONNREFUSED);
    return n;
}

static void send_request(struct client *c)
{
    while (c->head_sent < c->head_len) {
        ssize_t n = send_piece(c, c->head + c->head_sent, c->head_len - c->head_sent,
                               c->upload_bytes > 0 ? MSG_MORE : 0);
        if (n < 0)
            return;
        c->head_sent += (size_t)n;
    }
    while (c->upload_sent < c->upload_bytes) {
        size_t skip = c->upload_sent % PATTERN_PERIOD;
        size_t len = MIN(c->upload_bytes - c->upload_sent, (uint64_t)PATTERN_BYTES - skip);
        ssize_t n = send_piece(c, load_pattern() + skip, len, 0);
        if (n < 0)
            return;
        c->upload_sent += (size_t)n;
    }
}

static enum progress receive(struct client *c)
{
    static char data[256 * 1024];

    for (;;) {
        ssize_t n = recv(c->fd, data, sizeof(data), 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOTCONN))
            return PROGRESS_GOING_ON;
        c->refused = c->refused || (n < 0 && errno == ECONNREFUSED);
        if (n <= 0)
            return ended(c);
        if (!c->request) { /* bytes that nobody asked for */
            client_close(c);
            return PROGRESS_INVALID;
        }
        switch (answer_feed(&c->answer, data, (size_t)n)) {
        case ANSWER_WHOLE:
            if (c->upload_sent < c->upload_bytes)
                c->answer.close = true; /* answered early: the rest is not sent */
            return finish(c, PROGRESS_ANSWERED);
        case ANSWER_INVALID:
            return finish(c, PROGRESS_INVALID);
        default:
            break;
        }
    }
}

enum progress client_begin(struct client *c, struct request *r, const struct plan *plan,
                           int epoll_fd)
{
    const struct plan_kind *k = &plan->kinds[r->kind];

    c->request = r;
    r->client = c;
    r->sent_us = clock_now_us();
    answer_init(&c->answer, k->expect_bytes);
    write_head(c, k);
    if (c->fd < 0 && open_connection(c, &plan->to, epoll_fd) < 0)
        return finish(c, PROGRESS_NO_CONNECTION);
    send_request(c);
    return PROGRESS_GOING_ON;
}

enum progress client_go_on(struct client *c)
{
    if (c->request)
        send_request(c);
    return receive(c);
}
