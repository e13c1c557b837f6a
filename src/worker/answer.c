/* SPDX-License-Identifier: MIT */
/* The answer to one request: what plugins call through struct liege_respond and struct liege_body,
 * and what happens around the call of the application.
 *
 * The head is written into the connection's output when the application gives it, all but its end;
 * how the body is framed shows with the first piece. A body of one piece goes out with its head in
 * one system call. A client that takes its answer slowly makes write() wait once OUT_MAX_BYTES are
 * kept; what is left when the application has returned is the loop's to send. */
#include "worker/answer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/text.h"
#include "tls/tls.h"
#include "worker/conn.h"
#include "worker/dispatch.h"
#include "worker/worker-private.h"

#define OUT_MAX_BYTES        ((size_t)256 * 1024)
#define COPY_BYTES           ((size_t)64 * 1024 - 8) /* fits into a record of FastCGI */
#define STATUS_CLIENT_CLOSED 499                     /* nginx's number, in the log only */

static const struct liege_str http_scheme = {"http", 4}, https_scheme = {"https", 5};

/* Sending */

/* A failed send: the client is gone, and so is the rest of the answer. */
static int gone(struct exchange *x, int error)
{
    x->answer.failed = true;
    x->answer.status = STATUS_CLIENT_CLOSED;
    return error;
}

/* With @last nothing follows that would need room: what the client has not taken is the loop's. */
static int send_or_go(struct exchange *x, const struct iovec *iov, size_t n_iov, bool last)
{
    int r = 0;

    if (x->file.fd >= 0 && n_iov == 0)
        return 0; /* nothing comes after the file: it is the loop's, too */
    if (x->file.fd >= 0)
        r = exchange_wait_sent(x, 0);
    if (r == 0)
        r = exchange_send(x, iov, n_iov);
    if (r == 0 && !last && buf_len(&x->out) > OUT_MAX_BYTES)
        r = exchange_wait_sent(x, OUT_MAX_BYTES / 2);
    return r < 0 ? gone(x, r) : 0;
}

/* False if the connection ends with this answer: its socket is no longer configured, or its worker
 * ends. One through TLS, which cannot be given to another, ends as soon as the worker drains. */
static bool may_go_on(const struct conn *c)
{
    const struct worker *w = c->worker;

    if (c->close_after)
        return false;
    if (c->tls && atomic_load_explicit(&w->draining, memory_order_relaxed))
        return false;
    return !atomic_load_explicit(&w->closes, memory_order_relaxed);
}

/* Ends the head: from here on the answer can no longer be another one. */
static int decide(struct exchange *x, bool length_known, uint64_t length)
{
    struct answer *a = &x->answer;
    const struct http_exchange ex = {
        .minor = x->proto.facts.minor,
        .head_request = x->proto.facts.is_head,
        .keep_alive = x->proto.facts.keep_alive && may_go_on(x->conn),
        .length_known = length_known,
        .length = length,
        .date = worker_date(),
    };
    int r = http_head_end(&a->draft, &ex, &a->framed);
    a->head_bytes = buf_len(&x->out) - a->draft.before;

    if (r == 0)
        r = proto_wrap(&x->proto, &x->out, a->draft.before, false);
    if (r < 0)
        return gone(x, r);
    a->sent = true;
    return 0;
}

/* How many of @len bytes still fit into the length that was announced. */
static size_t within_length(struct answer *a, size_t len)
{
    if (a->framed.framing != HTTP_FRAMING_LENGTH)
        return len;
    return (size_t)MIN((uint64_t)len, a->framed.length - a->body_bytes);
}

/* Sends a piece of the body; with @last also what ends it. */
static int send_piece(struct exchange *x, const void *data, size_t len, bool last)
{
    struct answer *a = &x->answer;
    bool none = a->framed.framing == HTTP_FRAMING_NONE;
    size_t fits = within_length(a, len), left = none ? 0 : fits;
    struct proto_frame frame;
    int r = 0;

    a->body_bytes += fits;
    if (none && !last)
        return 0;
    for (const char *at = data;; at += frame.taken) {
        proto_frame_piece(&x->proto, a->framed.framing, at, left, last, &frame);
        r = send_or_go(x, frame.iov, frame.n_iov, last);
        left -= frame.taken;
        if (r < 0 || left == 0)
            break;
    }
    if (r == 0 && fits < len) {
        log_warning("%.*s: the application wrote more than its Content-Length; the surplus is "
                    "dropped",
                    (int)x->req.target.len, x->req.target.data);
        return -EOVERFLOW;
    }
    return r;
}

/* What plugins call (struct liege_respond) */

static bool respond_started(const struct liege_request *req)
{
    return exchange_of(req)->answer.sent;
}

static int respond_start(struct liege_request *req, const struct liege_head *head)
{
    struct exchange *x = exchange_of(req);
    struct answer *a = &x->answer;
    struct errmsg err = {""};
    struct http_draft draft;

    if (a->sent)
        return -EALREADY;
    int r = http_head_begin(&draft, &x->out, x->proto.ops->style, head, &err);
    if (r < 0) {
        log_error("%.*s: %s", (int)req->target.len, req->target.data, err.text);
        return r; /* a head that was taken before stays */
    }
    if (a->started)
        http_head_replace(&a->draft, &draft);
    else
        a->draft = draft;
    a->started = true;
    a->status = head->status;
    return 0;
}

static int respond_write(struct liege_request *req, const void *data, size_t len)
{
    struct exchange *x = exchange_of(req);
    struct answer *a = &x->answer;

    if (!a->started || a->ended)
        return -EINVAL;
    if (a->failed)
        return -EPIPE;
    if (len == 0)
        return 0;
    int r = a->sent ? 0 : decide(x, false, 0);
    return r < 0 ? r : send_piece(x, data, len, false);
}

static int respond_end(struct liege_request *req, const void *data, size_t len)
{
    struct exchange *x = exchange_of(req);
    struct answer *a = &x->answer;

    if (!a->started || a->ended)
        return -EINVAL;
    a->ended = true;
    if (a->failed)
        return -EPIPE;
    int r = a->sent ? 0 : decide(x, true, len);
    bool whole =
        a->framed.framing != HTTP_FRAMING_LENGTH || len >= a->framed.length - a->body_bytes;
    if (r == 0)
        r = send_piece(x, data, len, whole); /* what ends it would make it look whole */
    if (r == 0 && !whole) {
        log_error("%.*s: the application wrote %llu bytes of a Content-Length of %llu",
                  (int)req->target.len, req->target.data, (unsigned long long)a->body_bytes,
                  (unsigned long long)a->framed.length);
        a->failed = true;
    }
    return r;
}

/* A file whose bytes must be framed in pieces. */
static int copy_file(struct exchange *x, int fd, uint64_t offset, uint64_t len)
{
    char *piece = arena_alloc(&x->arena, COPY_BYTES);

    while (len > 0) {
        ssize_t n = pread(fd, piece, (size_t)MIN(len, (uint64_t)COPY_BYTES), (off_t)offset);
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        int r = send_piece(x, piece, (size_t)n, false);
        if (r < 0)
            return r;
        offset += (uint64_t)n;
        len -= (uint64_t)n;
    }
    return 0;
}

static int respond_file(struct liege_request *req, int fd, uint64_t offset, uint64_t len)
{
    struct exchange *x = exchange_of(req);
    struct answer *a = &x->answer;

    if (!a->started || a->ended)
        return -EINVAL;
    if (a->failed)
        return -EPIPE;
    if (len == 0)
        return 0;
    /* As the first piece it is taken for the whole body: its length then frames it. */
    int r = a->sent ? 0 : decide(x, true, len);
    if (r < 0 || a->framed.framing == HTTP_FRAMING_NONE)
        return r;
    if (proto_frames_pieces(&x->proto, a->framed.framing))
        return copy_file(x, fd, offset, len);

    uint64_t fits =
        a->framed.framing == HTTP_FRAMING_LENGTH ? MIN(len, a->framed.length - a->body_bytes) : len;
    a->body_bytes += fits;
    if (x->file.fd >= 0)
        r = exchange_wait_sent(x, 0);
    if (r == 0)
        r = exchange_send_file(x, fd, offset, fits);
    if (r < 0)
        return gone(x, r);
    return fits < len ? -EOVERFLOW : 0;
}

static void respond_fail(struct liege_request *req)
{
    struct exchange *x = exchange_of(req);
    struct answer *a = &x->answer;

    if (exchange_interrupt_helpers(x))
        a->failed = true;
    if (a->ended || a->failed)
        return;
    a->ended = true;
    if (a->sent) {
        a->failed = true;
        return;
    }
    if (a->started)
        http_head_withdraw(&a->draft);
    a->started = a->sent = true;
    a->status = 500;
    a->framed = (struct http_framed){.framing = HTTP_FRAMING_LENGTH, .keep_alive = false};
    if (exchange_put_error(x, 500, NULL) < 0)
        a->failed = true;
    else
        (void)send_or_go(x, NULL, 0, true); /* marks the answer itself */
}

const struct liege_respond worker_respond = {
    .start = respond_start,
    .write = respond_write,
    .file = respond_file,
    .end = respond_end,
    .fail = respond_fail,
    .started = respond_started,
};

/* The request's body (struct liege_body) */

static ssize_t body_read(struct liege_request *req, void *buf, size_t len)
{
    return http_body_read(&exchange_of(req)->body, buf, len);
}

static ssize_t body_read_line(struct liege_request *req, size_t max, const char **ret_data)
{
    return http_body_read_line(&exchange_of(req)->body, max, ret_data);
}

static int body_seek(struct liege_request *req, uint64_t position)
{
    return http_body_seek(&exchange_of(req)->body, position);
}

static uint64_t body_tell(const struct liege_request *req)
{
    return http_body_tell(&exchange_of(req)->body);
}

const struct liege_body worker_body = {
    .read = body_read,
    .read_line = body_read_line,
    .seek = body_seek,
    .tell = body_tell,
};

/* Around the call */

static struct liege_str str_of(const char *text)
{
    return http_str(text, strlen(text));
}

/* What TLS knows, under the names that web servers give it (mod_ssl's and nginx's). */
static void fill_tls(struct exchange *x)
{
    struct tls_facts f = {0};

    if (tls_get_facts(x->conn->tls, &f) < 0)
        log_error("%s: no memory for what TLS knows of the client", conn_peer(x->conn));
    const struct {
        const char *name, *value; /* NULL: there is none */
    } facts[] = {
        {"SSL_PROTOCOL", f.protocol},
        {"SSL_CIPHER", f.cipher},
        {"SSL_CLIENT_VERIFY", f.client_verify},
        {"SSL_CLIENT_S_DN", f.client_subject},
    };
    struct liege_var *vars = arena_alloc(&x->arena, sizeof(*vars) * COUNT_OF(facts));
    size_t n = 0;

    for (size_t i = 0; i < COUNT_OF(facts); i++)
        if (facts[i].value)
            vars[n++] = (struct liege_var){str_of(facts[i].name), str_of(facts[i].value)};
    x->req.vars = vars;
    x->req.n_vars = n;
}

/* What the parser does not know: the connection. A web server in front has said itself who its
 * client is. */
static void fill_connection(struct exchange *x)
{
    struct liege_request *req = &x->req;
    bool gateway = x->proto.ops->gateway;

    if (!gateway) {
        req->scheme = x->conn->tls || x->conn->client_tls ? https_scheme : http_scheme;
        req->remote_addr = str_of(x->conn->remote_addr);
        req->remote_port = str_of(x->conn->remote_port);
    }
    if (!gateway || req->server_name.len == 0)
        req->server_name = str_of(x->conn->acceptor->server_name);
    if (!gateway || req->server_port.len == 0)
        req->server_port = str_of(x->conn->acceptor->server_port);
    if (x->conn->tls)
        fill_tls(x);
    req->body_length = http_body_length(&x->body);
    req->has_body = x->proto.facts.has_body || req->body_length > 0;
}

static void answer_text(struct exchange *x, int status, const char *text)
{
    const struct liege_field type = {
        .name = {"Content-Type", 12},
        .value = {"text/plain", 10},
    };
    const struct liege_head head = {.status = status, .fields = &type, .n_fields = 1};

    if (respond_start(&x->req, &head) == 0)
        (void)respond_end(&x->req, text, strlen(text)); /* marks the answer itself */
}

/* What a trusted proxy says of the client cannot be. Others use the same connection: it stays. */
static void answer_bad_proxy(struct exchange *x, const char *reason)
{
    struct worker *w = x->conn->worker;

    if (log_limit_allows(&w->refusals, loop_now_us(w->loop)))
        log_info("%s: answered 400: %s", conn_peer(x->conn), reason);
    answer_text(x, 400, "Bad Request\n");
}

static struct liege_str join(struct arena *arena, struct liege_str a, struct liege_str b)
{
    if (a.len == 0 || b.len == 0)
        return a.len == 0 ? b : a;
    char *text = arena_alloc(arena, a.len + b.len);
    memcpy(mempcpy(text, a.data, a.len), b.data, b.len);
    return http_str(text, a.len + b.len);
}

/* Finds the application by the path, of which script_name then has the front. A web server that
 * says SCRIPT_NAME means the application that is mounted there, if there is one, and may or may not
 * have taken it off the path. Returns NULL if none is mounted. */
static const struct app_mount *route(struct exchange *x)
{
    struct liege_request *req = &x->req;
    const struct apps *apps = x->conn->worker->start->apps;
    const struct app_mount *m = apps_route(apps, req->path.data, req->path.len);

    if (req->script_name.len > 0) {
        struct liege_str script = req->script_name;
        const struct app_mount *named = apps_route(apps, script.data, script.len);
        bool meant = named && named->prefix_len == script.len;
        if (meant && named != m)
            return named;
        if (meant)
            req->script_name.len = 0; /* the path has it */
    }
    if (!m)
        return NULL;
    req->script_name = join(&x->arena, req->script_name, http_str(m->prefix, m->prefix_len));
    req->path.data += m->prefix_len;
    req->path.len -= m->prefix_len;
    return m;
}

/* The client has all of the answer, and may ask again. */
static bool is_over(const struct exchange *x)
{
    const struct answer *a = &x->answer;

    return x->alone && a->ended && !a->failed && a->framed.keep_alive && exchange_all_sent(x);
}

static void call(struct exchange *x)
{
    struct worker *w = x->conn->worker;
    struct liege_request *req = &x->req;
    const struct app_mount *m = route(x);

    if (!m) {
        answer_text(x, 404, "Not Found\n"); /* no application is mounted there */
        return;
    }
    req->app = m->app;
    dispatch_begin(w, x);
    m->plugin->call(req);
    if (w->copied) {
        log_warning("%.*s: a process that the application forked there came back: it is ended",
                    (int)req->target.len, req->target.data);
        _exit(EXIT_FAILURE); /* it has no worker's duties */
    }
    if (!x->answer.ended && !x->answer.failed) {
        log_error("%.*s: the application did not finish its answer", (int)req->target.len,
                  req->target.data);
        respond_fail(req);
    }
    if (is_over(x))
        conn_hold_answered(x->conn);
    dispatch_end(w);
}

/* A body that ends with the connection looks complete to the client unless it is reset. */
static void reset_connection(const struct exchange *x)
{
    const struct linger hard = {.l_onoff = 1};

    (void)setsockopt(x->conn->io.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

/* Everything before the answer. */
static void begin(struct exchange *x, const char *base)
{
    struct answer *a = &x->answer;

    *a = (struct answer){0};
    if (access_log_enabled(&x->conn->worker->log))
        a->start_us = clock_now_us();
    size_t n_dropped = proto_fill_request(&x->proto, base, &x->req);
    if (n_dropped > 0)
        log_debug("%s: %zu fields with an underscore in their names were left out",
                  x->conn->remote_addr, n_dropped);
    fill_connection(x);
}

/* Everything after it. */
static bool finish(struct exchange *x)
{
    struct worker *w = x->conn->worker;
    const struct answer *a = &x->answer;

    if (access_log_enabled(&w->log)) {
        struct access_entry e = {
            .req = &x->req,
            .name = w->start->name,
            .worker = w->start->id,
            .head_bytes = a->head_bytes,
            .status = a->status,
            .bytes = a->body_bytes,
            .duration_us = clock_now_us() - a->start_us,
        };
        access_log_add(&w->log, &e);
    }
    if (a->failed && a->framed.framing == HTTP_FRAMING_CLOSE)
        reset_connection(x);
    return !a->failed;
}

/* A client that its trusted proxy contradicts itself about is answered here: true. */
static bool is_refused(struct exchange *x)
{
    const struct worker *w = x->conn->worker;
    const char *reason = NULL;

    if (x->proto.ops->gateway ||
        forwarded_apply(&w->forwarded, x->conn->trusted, &x->req, &x->arena, &reason) == 0)
        return false;
    answer_bad_proxy(x, reason);
    return true;
}

/* True if sending a file may have to wait for the client: its bytes go through our hands. */
static bool files_wait(const struct exchange *x)
{
    return proto_frames_pieces(&x->proto, HTTP_FRAMING_LENGTH);
}

/* Answers the request if it is for a static file. Where that may wait it is a call like the
 * application's, so that others take the loop. */
static bool serve_static(struct exchange *x)
{
    struct worker *w = x->conn->worker;
    const bool waits = files_wait(x);

    if (!w->start->site)
        return false;
    if (waits)
        dispatch_begin(w, x);
    enum static_result r = static_serve(w->start->site, &worker_respond, &x->req);
    if (waits)
        dispatch_end(w);
    return r == STATIC_SERVED;
}

bool answer_request(struct exchange *x, const char *base)
{
    begin(x, base);
    if (!is_refused(x) && !serve_static(x))
        call(x);
    return finish(x);
}

bool answer_static(struct exchange *x, const char *base, bool *ret_whole)
{
    if (!x->conn->worker->start->site || files_wait(x))
        return false;
    begin(x, base);
    if (!is_refused(x) && !serve_static(x))
        return false;
    *ret_whole = finish(x);
    return true;
}
