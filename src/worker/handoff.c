/* SPDX-License-Identifier: MIT */
/* What an entry of the queue looks like: a fixed head, then the head of the request as it came, its
 * body as it was decoded, and the bytes that follow it. A body that is large goes as the descriptor
 * of its temporary file. The taker parses the head anew: nothing of a parser's state is passed. */
#include "worker/handoff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "worker/conn.h"
#include "worker/overload.h"
#include "worker/worker-private.h"

#define BODY_INLINE_BYTES ((size_t)32 * 1024)

static struct handoff_entry make_entry(const struct conn *c, enum handoff_kind kind)
{
    struct handoff_entry e = {
        .kind = kind,
        .listener = c->acceptor->id,
        .protocol = c->protocol,
        .n_requests = c->n_requests,
        .client = c->client,
        .proxy_due = c->proxy_due,
        .client_tls = c->client_tls,
    };

    memcpy(e.remote_port, c->remote_port, sizeof(e.remote_port));
    return e;
}

void handoff_describe_idle(const struct conn *c, struct handoff_entry *ret)
{
    *ret = make_entry(c, HANDOFF_IDLE);
}

static int give_idle(const struct conn *c)
{
    struct handoff_entry e = make_entry(c, HANDOFF_IDLE);
    const struct iovec iov = {.iov_base = &e, .iov_len = sizeof(e)};

    return queue_give(&c->worker->start->queue, &iov, 1, &c->io.fd, 1);
}

static int give_request(struct conn *c)
{
    struct exchange *x = c->x;
    struct handoff_entry e = make_entry(c, HANDOFF_REQUEST);
    int fds[QUEUE_MAX_FDS] = {c->io.fd};
    size_t n_fds = 1;

    if (buf_len(&x->in) + sizeof(e) + BODY_INLINE_BYTES > QUEUE_MAX_BYTES)
        return -E2BIG;
    e.head_len = (uint32_t)x->proto.facts.head_len;
    e.rest_len = (uint32_t)(buf_len(&x->in) - x->proto.facts.head_len);
    e.body_len = http_body_length(&x->body);
    e.ready_us = x->ready_us;
    if (x->body.spooled > 0 || e.body_len > BODY_INLINE_BYTES) {
        int r = http_body_to_file(&x->body);
        if (r < 0)
            return r;
        fds[n_fds++] = x->body.fd;
    } else {
        e.inline_len = (uint32_t)e.body_len;
    }
    const struct iovec iov[] = {
        {.iov_base = &e, .iov_len = sizeof(e)},
        {.iov_base = buf_at(&x->in), .iov_len = buf_len(&x->in)},
        {.iov_base = x->body.memory, .iov_len = e.inline_len},
    };
    return queue_give(&c->worker->start->queue, iov, COUNT_OF(iov), fds, n_fds);
}

int handoff_give(struct conn *c)
{
    if (c->close_after)
        return -ESHUTDOWN;
    if (c->tls)
        return -EOPNOTSUPP; /* what TLS has agreed on is in this process alone */
    int r = c->x ? give_request(c) : give_idle(c);
    if (r < 0)
        return r;
    atomic_fetch_add_explicit(&worker_slot(c->worker)->n_given, 1, memory_order_relaxed);
    if (c->x)
        atomic_fetch_add(&c->worker->start->queue.board->n_waiting, 1);
    return 0;
}

static const struct acceptor *find_acceptor(const struct worker *w, uint32_t id)
{
    for (size_t i = 0; i < w->n_acceptors; i++)
        if (w->acceptors[i].id == id)
            return &w->acceptors[i];
    return NULL;
}

/* Rebuilds the request: @data is head, rest and inline body. Takes @file over (-1: none). Returns
 * false if the entry is not what a worker writes. */
static bool take_request(struct exchange *x, const struct handoff_entry *e, const char *data,
                         int file)
{
    size_t in_len = (size_t)e->head_len + e->rest_len;

    x->untouched = false;
    x->ready_us = e->ready_us;
    int r = buf_append(&x->in, data, in_len);
    if (file >= 0)
        http_body_adopt(&x->body, file, e->body_len);
    else if (r == 0)
        r = http_body_append(&x->body, data + in_len, e->inline_len);
    if (r < 0)
        return false;
    enum proto_state state = proto_parse_head(&x->proto, buf_at(&x->in), e->head_len);
    return (state == PROTO_HEAD_DONE || state == PROTO_COMPLETE) &&
           x->proto.facts.head_len == e->head_len;
}

static bool has_gone(const struct conn *c)
{
    char byte = 0;

    if (!overload_has_left(c, c->x->ready_us))
        return false;
    ssize_t n = recv(c->io.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

static bool is_sound(const struct handoff_entry *e, size_t len, size_t n_fds)
{
    size_t follows = (size_t)e->head_len + e->rest_len + e->inline_len;

    if (len < sizeof(*e) || len - sizeof(*e) != follows || n_fds < 1 || e->protocol >= PROTO_COUNT)
        return false;
    return n_fds == 2 ? e->inline_len == 0 : e->inline_len == e->body_len;
}

static int adopt(struct worker *w, const struct handoff_entry *e, const char *data, const int *fds,
                 size_t n_fds, struct conn **ret)
{
    _cleanup_close_ int file = n_fds == 2 ? fds[1] : -EBADF;
    const struct acceptor *a = find_acceptor(w, e->listener);
    struct conn *c = conn_adopt(w, a ? a : &w->acceptors[0], fds[0]);

    if (!c)
        return 0;
    c->protocol = (enum proto_id)e->protocol;
    c->n_requests = e->n_requests;
    conn_set_client(c, &e->client, 0);
    memcpy(c->remote_port, e->remote_port, sizeof(c->remote_port));
    c->proxy_due = e->proxy_due;
    c->client_tls = e->client_tls;
    if (!a && e->kind == HANDOFF_IDLE) {
        conn_finish(c); /* its socket is no longer configured */
        return 0;
    }
    *ret = c;
    if (e->kind == HANDOFF_IDLE)
        return HANDOFF_IDLE;
    if (!conn_exchange(c))
        return 0;
    if (!take_request(c->x, e, data, TAKE_FD(file))) {
        log_error("%s: a request that was handed over cannot be read", conn_peer(c));
        conn_close(c);
        return 0;
    }
    if (!has_gone(c)) {
        /* What was accepted is answered, also of a socket that is no longer configured; as if it
         * had come through the first one. */
        c->close_after = !a;
        return HANDOFF_REQUEST;
    }
    queue_note_gone(&w->start->queue);
    conn_close(c);
    return 0;
}

int handoff_take(struct worker *w, struct conn **ret)
{
    const struct queue *q = &w->start->queue;
    int fds[QUEUE_MAX_FDS] = {-EBADF, -EBADF};
    size_t n_fds = 0;
    struct handoff_entry e;

    if (!w->entry)
        w->entry = malloc(QUEUE_MAX_BYTES);
    if (!w->entry)
        return -ENOMEM;
    ssize_t len = queue_take(q, w->entry, QUEUE_MAX_BYTES, fds, &n_fds);
    if (len < 0)
        return (int)len;
    memcpy(&e, w->entry, MIN((size_t)len, sizeof(e)));
    if ((size_t)len < sizeof(e) || !is_sound(&e, (size_t)len, n_fds)) {
        closep(&fds[0]);
        closep(&fds[1]);
        return -EPROTO;
    }
    atomic_fetch_add_explicit(&worker_slot(w)->n_taken, 1, memory_order_relaxed);
    if (e.kind == HANDOFF_REQUEST) {
        atomic_fetch_sub(&q->board->n_waiting, 1);
        atomic_store(&q->board->taken_us, e.ready_us);
    }
    return adopt(w, &e, w->entry + sizeof(e), fds, n_fds, ret);
}
