/* SPDX-License-Identifier: MIT */
/* From bytes to requests. Bytes are read into the thread's scratch memory and parsed there; only
 * what must outlast the callback is copied into the exchange. A complete request is called at once,
 * or it waits (dispatch.c). */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "proto/proxy.h"
#include "worker/answer.h"
#include "worker/conn-io.h"
#include "worker/conn.h"
#include "worker/dispatch.h"
#include "worker/overload.h"
#include "worker/worker-private.h"

#define TURN_REQUESTS 16 /* pipelined ones that are answered before others have their turn */

/* What became of a connection while one of its requests was taken. */
enum taken {
    TAKEN_ALL,  /* the request is answered; the next one may follow */
    TAKEN_OVER, /* nothing more to do now: it waits for something, or is closing, or gone */
};

static void close_broken(struct conn *c)
{
    (void)log_errno(LOG_ERR, ENOMEM, "%s: closed", conn_peer(c));
    conn_close(c);
}

/* Keeps bytes that were read into scratch memory; those in x->in already are where they should be.
 */
static bool keep(struct conn *c, const char *base, size_t len)
{
    struct buf *in = &c->x->in;

    if (buf_len(in) > 0 && base >= in->data && base < in->data + in->capacity) {
        buf_consume(in, (size_t)(base - buf_at(in)));
        in->end = in->start + len;
        return true;
    }
    buf_consume(in, buf_len(in));
    if (buf_append(in, base, len) == 0)
        return true;
    close_broken(c);
    return false;
}

/* Keeps the head of a complete request and what follows its body, as conn_serve_ready() wants it.
 */
static bool keep_request(struct conn *c, const char *base, const char *rest, size_t rest_len)
{
    size_t head_len = c->x->proto.facts.head_len;

    if (rest == base + head_len)
        return keep(c, base, head_len + rest_len);

    struct buf both = {0};
    if (buf_append(&both, base, head_len) < 0 || buf_append(&both, rest, rest_len) < 0) {
        buf_done(&both);
        close_broken(c);
        return false;
    }
    buf_done(&c->x->in);
    c->x->in = both;
    return true;
}

/* The request is answered: what comes next on this connection? @more_input: bytes of a next request
 * are here. */
static enum taken after_answer(struct conn *c, bool whole, bool client_closes, bool more_input)
{
    struct exchange *x = c->x;

    c->n_requests++;
    worker_on_answer(c->worker);
    c->close_after |= !x->answer.framed.keep_alive;
    exchange_next(c->worker, x);
    if (!whole) {
        conn_close(c);
        return TAKEN_OVER;
    }
    if (!c->close_after || !exchange_all_sent(x))
        return TAKEN_ALL;
    /* A client that said it sends nothing more leaves nothing unread: no need to linger. */
    if (client_closes && !more_input)
        conn_hang_up(c);
    else
        conn_finish(c);
    return TAKEN_OVER;
}

/* The request is complete and @base is where its head stands, until it is answered. */
static enum taken serve(struct conn *c, const char *base, bool more_input)
{
    bool client_closes = !c->x->proto.facts.keep_alive;

    conn_set_state(c, CONN_CALL);
    c->x->alone = !more_input;
    bool whole = answer_request(c->x, base);
    return after_answer(c, whole, client_closes, more_input);
}

/* The request is complete; @rest follows it. */
static enum taken take_complete(struct conn *c, const char *base, const char *rest, size_t rest_len)
{
    const bool client_closes = !c->x->proto.facts.keep_alive;
    bool whole = false;

    if (dispatch_has_turn(c->worker))
        return overload_admit(c) ? serve(c, base, rest_len > 0) : TAKEN_OVER;
    if (answer_static(c->x, base, &whole)) {
        conn_set_state(c, CONN_CALL);
        return after_answer(c, whole, client_closes, rest_len > 0);
    }
    if (keep_request(c, base, rest, rest_len))
        dispatch_wait(c);
    return TAKEN_OVER;
}

/* The body is not complete: its head is kept, then the rest is waited for. */
static void wait_for_body(struct conn *c, const char *base)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct iovec iov = {.iov_base = (void *)go_on, .iov_len = sizeof(go_on) - 1};
    struct exchange *x = c->x;

    if (!keep(c, base, x->proto.facts.head_len))
        return;
    if (x->proto.facts.expect_continue && x->proto.facts.body_bytes == 0 && c->state != CONN_BODY &&
        exchange_send(x, &iov, 1) < 0) {
        conn_close(c);
        return;
    }
    conn_set_state(c, CONN_BODY);
    (void)conn_listen(c);
}

/* Sends what the protocol has to say itself. False: the connection is closed. */
static bool send_replies(struct conn *c)
{
    struct proto *p = &c->x->proto;
    struct iovec iov = {0};
    const char *data = NULL;

    if (!p->facts.has_replies)
        return true;
    iov.iov_len = proto_take_replies(p, &data);
    iov.iov_base = (void *)data;
    if (exchange_send(c->x, &iov, 1) == 0)
        return true;
    conn_close(c);
    return false;
}

/* Takes one request from the front of @len bytes at @base; *@ret_used is how many bytes it was. */
static enum taken take_request(struct conn *c, const char *base, size_t len, size_t *ret_used)
{
    struct exchange *x = c->x;
    size_t used = 0;

    x->untouched = false;
    enum proto_state state = proto_parse_head(&x->proto, base, len);
    if (!send_replies(c))
        return TAKEN_OVER;
    if (state == PROTO_MORE) {
        if (keep(c, base, len)) {
            conn_set_state(c, CONN_HEAD);
            (void)conn_listen(c);
        }
        return TAKEN_OVER;
    }
    if (state == PROTO_HEAD_DONE) {
        state = proto_parse_body(&x->proto, base + x->proto.facts.head_len,
                                 len - x->proto.facts.head_len, &x->body, &used);
        if (!send_replies(c))
            return TAKEN_OVER;
        if (state == PROTO_MORE) {
            wait_for_body(c, base);
            return TAKEN_OVER;
        }
    }
    if (state == PROTO_REFUSED) {
        conn_refuse(c, x->proto.facts.status, 0, x->proto.facts.reason);
        return TAKEN_OVER;
    }
    used += x->proto.facts.head_len;
    *ret_used = used;
    return take_complete(c, base, base + used, len - used);
}

/* Waits until the client has taken the answer; @len bytes of next requests are kept. */
static void wait_for_room(struct conn *c, const char *base, size_t len)
{
    if (len == 0)
        buf_consume(&c->x->in, buf_len(&c->x->in));
    else if (!keep(c, base, len))
        return;
    conn_set_state(c, CONN_WRITE);
    (void)conn_listen(c);
}

void conn_take_proxy(struct conn *c, const struct proxy_header *h)
{
    c->proxy_due = false;
    c->client_tls = h->tls;
    if (h->has_addresses)
        conn_set_client(c, &h->source, h->source_port);
}

/* Takes the PROXY header from the front of @len bytes at @base; *@ret_used is how many it was. */
static enum taken take_proxy_header(struct conn *c, const char *base, size_t len, size_t *ret_used)
{
    struct proxy_header h = {0};

    switch (proxy_parse(base, len, &h)) {
    case PROXY_MORE:
        if (keep(c, base, len)) {
            conn_set_state(c, CONN_HEAD);
            (void)conn_listen(c);
        }
        return TAKEN_OVER;
    case PROXY_REFUSED:
        conn_refuse_proxy(c, h.reason);
        return TAKEN_OVER;
    case PROXY_DONE:
        break;
    }
    conn_take_proxy(c, &h);
    *ret_used = h.len;
    return TAKEN_ALL;
}

/* Answers the requests that stand in @len bytes at @base, in order. */
static void advance(struct conn *c, const char *base, size_t len)
{
    if (c->proxy_due) {
        size_t used = 0;
        if (take_proxy_header(c, base, len, &used) == TAKEN_OVER)
            return;
        base += used;
        len -= used;
    }
    for (unsigned n = 0; len > 0; n++) {
        size_t used = 0;
        if (n == TURN_REQUESTS) {
            if (keep(c, base, len))
                loop_task_queue(c->worker->loop, &c->more);
            return;
        }
        if (take_request(c, base, len, &used) == TAKEN_OVER)
            return;
        base += used;
        len -= used;
        if (!exchange_all_sent(c->x)) {
            wait_for_room(c, base, len);
            return;
        }
    }
    conn_go_idle(c);
}

void conn_read_on(struct conn *c)
{
    if (c->x)
        advance(c, buf_at(&c->x->in), buf_len(&c->x->in));
    else
        conn_go_idle(c);
}

/* The request whose head is in x->in is answered. */
static void go_on_after(struct conn *c, size_t head_len)
{
    struct buf *in = &c->x->in;

    buf_consume(in, head_len);
    if (exchange_all_sent(c->x))
        conn_read_on(c);
    else
        wait_for_room(c, buf_at(in), buf_len(in));
}

void conn_serve_ready(struct conn *c)
{
    struct buf *in = &c->x->in;
    size_t head_len = c->x->proto.facts.head_len;

    if (serve(c, buf_at(in), buf_len(in) > head_len) == TAKEN_ALL)
        go_on_after(c, head_len);
}

/* The rest of a body has come: it is parsed from scratch memory, its head waits in x->in. */
static void read_body(struct conn *c, const char *data, size_t len)
{
    struct exchange *x = c->x;
    size_t used = 0;
    enum proto_state state = proto_parse_body(&x->proto, data, len, &x->body, &used);

    if (!send_replies(c))
        return;
    if (state == PROTO_MORE) {
        conn_set_state(c, CONN_BODY);
        return;
    }
    if (state == PROTO_REFUSED) {
        conn_refuse(c, x->proto.facts.status, 0, x->proto.facts.reason);
        return;
    }
    if (buf_append(&x->in, data + used, len - used) < 0) {
        close_broken(c);
        return;
    }
    if (dispatch_has_turn(c->worker))
        conn_serve_ready(c);
    else
        dispatch_wait(c);
}

/* The client has sent its last byte. */
static void on_end_of_input(struct conn *c)
{
    if (c->state == CONN_HEAD || c->state == CONN_BODY)
        log_debug("%s: closed in the middle of a request", conn_peer(c));
    conn_hang_up(c);
}

/* Where the next bytes are read to: those of a head that has begun are appended to it. */
static char *read_place(struct conn *c, size_t *ret_room)
{
    if (!c->x || c->state == CONN_BODY || buf_len(&c->x->in) == 0) {
        *ret_room = CREW_SCRATCH_BYTES;
        return crew_self()->scratch;
    }
    struct buf *in = &c->x->in;
    if (buf_reserve(in, conn_io_room(c)) < 0)
        return NULL;
    *ret_room = in->capacity - in->end;
    return in->data + in->end;
}

void conn_read(struct conn *c)
{
    size_t room = 0;

    conn_leave_idle(c);
    char *at = read_place(c, &room);

    if (!at) {
        close_broken(c);
        return;
    }
    ssize_t n = conn_io_read(c, at, room);
    if (n == -EAGAIN) {
        (void)conn_listen(c);
        return;
    }
    if (n < 0) {
        conn_close(c);
        return;
    }
    if (n == 0) {
        on_end_of_input(c);
        return;
    }
    struct exchange *x = conn_exchange(c);
    if (!x)
        return;
    if (c->state == CONN_BODY) {
        read_body(c, at, (size_t)n);
    } else if (buf_len(&x->in) == 0) {
        advance(c, at, (size_t)n);
    } else {
        x->in.end += (size_t)n;
        advance(c, buf_at(&x->in), buf_len(&x->in));
    }
}
