/* SPDX-License-Identifier: MIT */
/* The life of a connection: read, parse, have it answered, send, again. Which events are listened
 * to and how long is allowed follow from the state alone (the table `states`).
 *
 * Requests of one connection are answered in order, one at a time. The application runs inside
 * conn_serve(); everything before and after it never waits. */
#include "worker/conn.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/text.h"
#include "worker/answer.h"
#include "worker/worker-private.h"

#define SPARE_CONNS   64
#define TURN_REQUESTS 16 /* pipelined ones that are answered before others have their turn */
#define LINGER_US     (2 * US_PER_SEC)
#define NEW_IDLE_US   US_PER_SEC /* at the end, for a first request that is probably on its way */
/* Larger buffers are given back when a connection is idle. */
#define KEPT_BUF_BYTES ((size_t)16 * 1024)

/* Of a state: what it waits for and how long. */
struct state_rule {
    bool writes;
    size_t timeout; /* offset in struct worker_conf; 0: LINGER_US */
    bool renews;    /* the time starts again with each sign of life */
    bool untimed;
};

/* clang-format off */
static const struct state_rule states[] = {
    [CONN_IDLE]   = { .timeout = offsetof(struct worker_conf, keepalive_timeout_us) },
    [CONN_HEAD]   = { .timeout = offsetof(struct worker_conf, head_timeout_us) },
    [CONN_BODY]   = { .timeout = offsetof(struct worker_conf, socket_timeout_us), .renews = true },
    [CONN_CALL]   = { .untimed = true },
    [CONN_WRITE]  = { .timeout = offsetof(struct worker_conf, socket_timeout_us), .renews = true,
                      .writes = true },
    [CONN_LINGER] = { 0 },
};
/* clang-format on */
static_assert(COUNT_OF(states) == CONN_STATE_COUNT, "one rule for each state");

static void conn_advance(struct conn *c, const char *base, size_t len);

static uint64_t now_us(const struct conn *c)
{
    return loop_now_us(c->worker->loop);
}

/* Deadlines only move the timer when they come nearer; when it fires early it looks again. So a
 * busy connection does not touch the heap. */
static void set_deadline(struct conn *c, uint64_t at_us)
{
    c->deadline_us = at_us;
    if (!loop_timer_is_set(&c->timer) || c->timer.at_us > at_us)
        loop_timer_set(c->worker->loop, &c->timer, at_us);
}

static void set_state(struct conn *c, enum conn_state state)
{
    const struct state_rule *rule = &states[state];
    uint64_t limit = LINGER_US;

    if (rule->timeout != 0)
        limit = *(const uint64_t *)((const char *)c->worker->conf + rule->timeout);
    if (!rule->untimed && (c->state != state || rule->renews || state == CONN_IDLE))
        set_deadline(c, now_us(c) + limit);
    c->state = state;
    if (state == CONN_WRITE)
        (void)conn_takes(c); /* from now on */
}

/* Tells epoll what the state waits for, if it does not know yet. Returns false when the connection
 * had to be closed. */
static bool listen_to(struct conn *c)
{
    bool writes = states[c->state].writes;
    uint32_t events = writes ? EPOLLOUT : EPOLLIN | EPOLLRDHUP;
    int r = 0;

    if (!c->in_epoll)
        r = loop_io_add(c->worker->loop, &c->io, events);
    else if (c->wants_write != writes)
        r = loop_io_modify(c->worker->loop, &c->io, events);
    if (r < 0) {
        (void)log_errno(LOG_ERR, r, "cannot watch a connection");
        conn_close(c);
        return false;
    }
    c->in_epoll = true;
    c->wants_write = writes;
    return true;
}

/* Birth and death */

static void give_back_memory(struct conn *c)
{
    if (c->in.capacity > KEPT_BUF_BYTES)
        buf_done(&c->in);
    if (c->out.capacity > KEPT_BUF_BYTES)
        buf_done(&c->out);
    if (c->body.memory_capacity > KEPT_BUF_BYTES)
        http_body_done(&c->body);
}

void conn_close(struct conn *c)
{
    struct worker *w = c->worker;

    if (c->in_epoll)
        loop_io_remove(w->loop, &c->io);
    closep(&c->io.fd);
    loop_timer_clear(w->loop, &c->timer);
    loop_task_cancel(&c->more);
    conn_drop_file(c);
    http_body_reset(&c->body);
    arena_reset(&c->arena);
    buf_consume(&c->in, buf_len(&c->in));
    buf_consume(&c->out, buf_len(&c->out));
    list_remove(&c->link);

    if (w->n_spare < SPARE_CONNS) {
        give_back_memory(c);
        list_append(&w->spare_conns, &c->link);
        w->n_spare++;
    } else {
        http_body_done(&c->body);
        arena_done(&c->arena);
        buf_done(&c->in);
        buf_done(&c->out);
        free(c);
    }
    worker_on_conn_end(w);
}

static struct conn *conn_alloc(struct worker *w)
{
    struct list *spare = list_first(&w->spare_conns);

    if (spare) {
        w->n_spare--;
        list_remove(spare);
        return container_of(spare, struct conn, link);
    }
    struct conn *c = calloc(1, sizeof(*c));
    if (c)
        http_body_init(&c->body, w->conf->body_memory_bytes, w->spool_dir);
    return c;
}

/* All is said: waits for the client to close too. */
static void finish(struct conn *c)
{
    if (shutdown(c->io.fd, SHUT_WR) < 0) {
        conn_close(c); /* the client was faster */
        return;
    }
    set_state(c, CONN_LINGER);
    (void)listen_to(c);
}

/* Answering */

/* Answers a request that will not reach an application, and closes. */
static void refuse(struct conn *c, int status, const char *reason)
{
    if (log_limit_allows(&c->worker->refusals, now_us(c)))
        log_info("%s: answered %d: %s", *c->remote_addr ? c->remote_addr : c->acceptor->name,
                 status, reason);
    int r = http_head_error(&c->out, status, NULL, c->h1.is_head, worker_date(c->worker));
    if (r == 0)
        r = conn_flush(c);
    if (r < 0) {
        conn_close(c);
        return;
    }
    c->close_after = true;
    if (!conn_all_sent(c)) {
        set_state(c, CONN_WRITE);
        (void)listen_to(c);
        return;
    }
    finish(c);
}

/* The request is complete and @base is where its head stands. Returns false if the connection ends
 * here: it may be freed then. */
static bool conn_serve(struct conn *c, const char *base, bool more_input)
{
    set_state(c, CONN_CALL);
    bool client_closes = !c->h1.keep_alive;
    bool whole = answer_request(c, base);
    loop_update_now(c->worker->loop); /* what follows is timed from here on */
    c->n_requests++;
    worker_on_answer(c->worker);
    http_body_reset(&c->body);
    arena_reset(&c->arena);
    h1_reset(&c->h1, &c->worker->limits, &c->arena);

    if (!whole) {
        conn_close(c);
        return false;
    }
    c->close_after |= !c->answer.framed.keep_alive;
    if (!c->close_after || !conn_all_sent(c))
        return true;
    /* A client that said it sends nothing more leaves nothing unread: no need to linger. */
    if (client_closes && !more_input)
        conn_close(c);
    else
        finish(c);
    return false;
}

/* Reading */

/* Keeps bytes that were read into scratch memory; those in c->in already are where they should be.
 */
static bool keep(struct conn *c, const char *base, size_t len)
{
    if (buf_len(&c->in) > 0 && base >= c->in.data && base < c->in.data + c->in.capacity) {
        buf_consume(&c->in, (size_t)(base - buf_at(&c->in)));
        c->in.end = c->in.start + len;
        return true;
    }
    buf_consume(&c->in, buf_len(&c->in));
    if (buf_append(&c->in, base, len) < 0) {
        conn_close(c);
        return false;
    }
    return true;
}

static void go_idle(struct conn *c)
{
    buf_consume(&c->in, buf_len(&c->in));
    give_back_memory(c);
    set_state(c, CONN_IDLE);
    if (listen_to(c) && c->worker->draining)
        conn_drain(c);
}

/* The body is not complete: its head is kept, then the rest is waited for. */
static void wait_for_body(struct conn *c, const char *base)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct iovec iov = {.iov_base = (void *)go_on, .iov_len = sizeof(go_on) - 1};

    if (!keep(c, base, c->h1.head_len))
        return;
    if (c->h1.expect_continue && c->h1.body_bytes == 0 && c->state != CONN_BODY &&
        conn_send(c, &iov, 1) < 0) {
        conn_close(c);
        return;
    }
    set_state(c, CONN_BODY);
    (void)listen_to(c);
}

/* Takes one request from the front of @len bytes at @base. Returns how many bytes it was, 0 if it
 * is not complete (or refused) and nothing is left to do, or -1 if the connection is closing. */
static ssize_t take_request(struct conn *c, const char *base, size_t len)
{
    enum h1_state state = h1_parse_head(&c->h1, base, len);
    size_t used = 0;

    if (state == H1_MORE) {
        if (keep(c, base, len)) {
            set_state(c, CONN_HEAD);
            (void)listen_to(c);
        }
        return 0;
    }
    if (state == H1_HEAD_DONE) {
        state = h1_parse_body(&c->h1, base + c->h1.head_len, len - c->h1.head_len, &c->body, &used);
        if (state == H1_MORE) {
            wait_for_body(c, base);
            return 0;
        }
    }
    if (state == H1_REFUSED) {
        refuse(c, c->h1.status, c->h1.reason);
        return 0;
    }
    used += c->h1.head_len;
    return conn_serve(c, base, used < len) ? (ssize_t)used : -1;
}

/* Answers the requests that stand in @len bytes at @base, in order. */
static void conn_advance(struct conn *c, const char *base, size_t len)
{
    for (unsigned n = 0; len > 0; n++) {
        if (n == TURN_REQUESTS) {
            if (keep(c, base, len))
                loop_task_queue(c->worker->loop, &c->more);
            return;
        }
        ssize_t used = take_request(c, base, len);
        if (used <= 0)
            return;
        base += used;
        len -= (size_t)used;
        if (!conn_all_sent(c)) {
            if (len == 0)
                buf_consume(&c->in, buf_len(&c->in));
            else if (!keep(c, base, len))
                return;
            set_state(c, CONN_WRITE);
            (void)listen_to(c);
            return;
        }
    }
    go_idle(c);
}

static void on_more(struct loop_task *t)
{
    struct conn *c = container_of(t, struct conn, more);

    conn_advance(c, buf_at(&c->in), buf_len(&c->in));
}

/* The rest of a body has come: it is parsed from scratch memory, its head waits in c->in. */
static void read_body(struct conn *c, const char *data, size_t len)
{
    size_t used = 0;
    enum h1_state state = h1_parse_body(&c->h1, data, len, &c->body, &used);

    if (state == H1_MORE) {
        set_state(c, CONN_BODY);
        return;
    }
    if (state == H1_REFUSED) {
        refuse(c, c->h1.status, c->h1.reason);
        return;
    }
    size_t head_len = c->h1.head_len;
    if (buf_append(&c->in, data + used, len - used) < 0) {
        conn_close(c);
        return;
    }
    if (!conn_serve(c, buf_at(&c->in), used < len))
        return;
    buf_consume(&c->in, head_len);
    if (!conn_all_sent(c)) {
        set_state(c, CONN_WRITE);
        (void)listen_to(c);
    } else if (buf_len(&c->in) > 0) {
        conn_advance(c, buf_at(&c->in), buf_len(&c->in));
    } else {
        go_idle(c);
    }
}

/* The client has sent its last byte. */
static void on_end_of_input(struct conn *c)
{
    if (c->state == CONN_HEAD || c->state == CONN_BODY)
        log_debug("%s: closed in the middle of a request", c->remote_addr);
    conn_close(c);
}

static void read_request(struct conn *c)
{
    struct worker *w = c->worker;
    bool scratch = c->state == CONN_BODY || buf_len(&c->in) == 0;

    if (!scratch && buf_reserve(&c->in, 4096) < 0) {
        conn_close(c);
        return;
    }
    char *at = scratch ? w->scratch : c->in.data + c->in.end;
    size_t room = scratch ? sizeof(w->scratch) : c->in.capacity - c->in.end;
    ssize_t n = recv(c->io.fd, at, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        (void)listen_to(c);
        return;
    }
    if (n <= 0) {
        on_end_of_input(c);
        return;
    }
    if (c->state == CONN_BODY) {
        read_body(c, at, (size_t)n);
    } else if (scratch) {
        conn_advance(c, at, (size_t)n);
    } else {
        c->in.end += (size_t)n;
        conn_advance(c, buf_at(&c->in), buf_len(&c->in));
    }
}

static void write_answer(struct conn *c)
{
    int r = conn_flush(c);

    if (r < 0) {
        conn_close(c);
        return;
    }
    set_state(c, CONN_WRITE);
    if (!conn_all_sent(c))
        return;
    if (c->close_after)
        finish(c);
    else if (buf_len(&c->in) > 0)
        conn_advance(c, buf_at(&c->in), buf_len(&c->in));
    else
        go_idle(c);
}

/* Throws away what a client sends that was told goodbye. */
static void linger(struct conn *c)
{
    ssize_t n = recv(c->io.fd, c->worker->scratch, sizeof(c->worker->scratch), 0);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        conn_close(c);
}

static void on_event(struct loop_io *io, uint32_t events)
{
    struct conn *c = container_of(io, struct conn, io);

    if (events & EPOLLERR) {
        conn_close(c);
        return;
    }
    switch (c->state) {
    case CONN_WRITE:
        write_answer(c);
        break;
    case CONN_LINGER:
        linger(c);
        break;
    default:
        /* Pipelined requests that wait for their turn come before what can be read now. */
        if (list_empty(&c->more.link))
            read_request(c);
    }
}

/* True if the client has done what is waited for, and only we have not looked yet: the application
 * had the worker to itself, say. */
static bool has_news(const struct conn *c)
{
    struct pollfd p = {.fd = c->io.fd, .events = states[c->state].writes ? POLLOUT : POLLIN};

    return c->state != CONN_LINGER && poll(&p, 1, 0) > 0;
}

static void cut_off(struct conn *c)
{
    if (log_limit_allows(&c->worker->refusals, now_us(c)))
        log_info("%s: took nothing of its answer for socket-timeout: cut off",
                 *c->remote_addr ? c->remote_addr : c->acceptor->name);
    conn_close(c);
}

static void on_timer(struct loop_timer *t)
{
    struct conn *c = container_of(t, struct conn, timer);

    if (c->state == CONN_CALL)
        return; /* pipelined requests wait for their turn: of a state that is over */
    if (now_us(c) < c->deadline_us) {
        loop_timer_set(c->worker->loop, t, c->deadline_us);
        return;
    }
    if (has_news(c)) {
        loop_timer_set(c->worker->loop, t, now_us(c) + US_PER_MS);
        return;
    }
    switch (c->state) {
    case CONN_HEAD:
        refuse(c, 408, "the head of the request took longer than http-timeout");
        break;
    case CONN_BODY:
        refuse(c, 408, "the body of the request made no progress for socket-timeout");
        break;
    case CONN_IDLE:
        finish(c);
        break;
    case CONN_WRITE:
        if (conn_takes(c))
            set_state(c, CONN_WRITE);
        else
            cut_off(c);
        break;
    default:
        conn_close(c);
    }
}

void conn_drain(struct conn *c)
{
    uint64_t grace_us = c->worker->drain_idle_us;

    if (c->state != CONN_IDLE || has_news(c))
        return; /* its next answer says that the connection closes */
    if (c->n_requests == 0)
        grace_us = MAX(grace_us, NEW_IDLE_US);
    if (grace_us == 0)
        finish(c);
    else
        set_deadline(c, MIN(c->deadline_us, now_us(c) + grace_us));
}

void conn_open(struct worker *w, const struct acceptor *a, int fd, const struct sockaddr *peer)
{
    struct conn *c = conn_alloc(w);

    if (!c) {
        (void)close(fd);
        (void)log_errno(LOG_ERR, ENOMEM, "a connection is refused");
        return;
    }
    c->io = (struct loop_io){.fd = fd, .fn = on_event};
    c->worker = w;
    c->acceptor = a;
    c->state = CONN_IDLE;
    c->in_epoll = c->wants_write = c->close_after = false;
    c->n_requests = 0;
    c->timer = (struct loop_timer){.fn = on_timer};
    c->file = (struct conn_file){.fd = -1};
    loop_task_init(&c->more, on_more);
    list_append(&w->conns, &c->link);
    h1_reset(&c->h1, &w->limits, &c->arena);

    c->remote_addr[0] = c->remote_port[0] = '\0';
    if (peer->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)peer;
        (void)inet_ntop(AF_INET, &in->sin_addr, c->remote_addr, sizeof(c->remote_addr));
        (void)snprintf(c->remote_port, sizeof(c->remote_port), "%u", ntohs(in->sin_port));
    } else if (peer->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)peer;
        (void)inet_ntop(AF_INET6, &in6->sin6_addr, c->remote_addr, sizeof(c->remote_addr));
        (void)snprintf(c->remote_port, sizeof(c->remote_port), "%u", ntohs(in6->sin6_port));
    }
    set_state(c, CONN_IDLE);
    read_request(c); /* the first bytes are usually here already */
}
