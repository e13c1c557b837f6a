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
#include "worker/conn.h"
#include "worker/worker-private.h"

#define OUT_MAX_BYTES        ((size_t)256 * 1024)
#define COPY_BYTES           ((size_t)64 * 1024)
#define STATUS_CLIENT_CLOSED 499 /* nginx's number, in the log only */

static const struct liege_str http_scheme = {"http", 4};

/* Sending */

/* A failed send: the client is gone, and so is the rest of the answer. */
static int gone(struct conn *c, int error)
{
    c->answer.failed = true;
    c->answer.status = STATUS_CLIENT_CLOSED;
    return error;
}

/* With @last nothing follows that would need room: what the client has not taken is the loop's. */
static int send_or_go(struct conn *c, const struct iovec *iov, size_t n_iov, bool last)
{
    int r = 0;

    if (c->file.fd >= 0 && n_iov == 0)
        return 0; /* nothing comes after the file: it is the loop's, too */
    if (c->file.fd >= 0)
        r = conn_wait_sent(c, 0);
    if (r == 0)
        r = conn_send(c, iov, n_iov);
    if (r == 0 && !last && buf_len(&c->out) > OUT_MAX_BYTES)
        r = conn_wait_sent(c, OUT_MAX_BYTES / 2);
    return r < 0 ? gone(c, r) : 0;
}

/* Ends the head: from here on the answer can no longer be another one. */
static int decide(struct conn *c, bool length_known, uint64_t length)
{
    struct answer *a = &c->answer;
    const struct http_exchange ex = {
        .minor = c->h1.minor,
        .head_request = c->h1.is_head,
        .keep_alive = c->h1.keep_alive && !c->worker->draining,
        .length_known = length_known,
        .length = length,
        .date = worker_date(c->worker),
    };
    int r = http_head_end(&a->draft, &ex, &a->framed);

    if (r < 0)
        return gone(c, r);
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
static int send_piece(struct conn *c, const void *data, size_t len, bool last)
{
    struct answer *a = &c->answer;
    char head[HTTP_CHUNK_HEAD_MAX];
    struct iovec iov[4];
    size_t n = 0, fits = within_length(a, len);

    if (a->framed.framing == HTTP_FRAMING_NONE) {
        a->body_bytes += len;
        return last ? send_or_go(c, NULL, 0, true) : 0;
    }
    bool chunked = a->framed.framing == HTTP_FRAMING_CHUNKED;
    if (chunked && fits > 0)
        iov[n++] = (struct iovec){.iov_base = head, .iov_len = http_chunk_head(head, fits)};
    if (fits > 0)
        iov[n++] = (struct iovec){.iov_base = (void *)data, .iov_len = fits};
    if (chunked && fits > 0)
        iov[n++] = (struct iovec){.iov_base = (void *)HTTP_CHUNK_END, .iov_len = 2};
    if (chunked && last)
        iov[n++] = (struct iovec){.iov_base = (void *)HTTP_CHUNK_LAST, .iov_len = 5};
    a->body_bytes += fits;
    int r = send_or_go(c, iov, n, last);
    if (r == 0 && fits < len) {
        log_warning("%.*s: the application wrote more than its Content-Length; the surplus is "
                    "dropped",
                    (int)c->req.target.len, c->req.target.data);
        return -EOVERFLOW;
    }
    return r;
}

/* What plugins call (struct liege_respond) */

static bool respond_started(const struct liege_request *req)
{
    return conn_of(req)->answer.sent;
}

static int respond_start(struct liege_request *req, const struct liege_head *head)
{
    struct conn *c = conn_of(req);
    struct answer *a = &c->answer;
    struct errmsg err = {""};
    struct http_draft draft;

    if (a->sent)
        return -EALREADY;
    int r = http_head_begin(&draft, &c->out, head, &err);
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
    struct conn *c = conn_of(req);
    struct answer *a = &c->answer;

    if (!a->started || a->ended)
        return -EINVAL;
    if (a->failed)
        return -EPIPE;
    if (len == 0)
        return 0;
    int r = a->sent ? 0 : decide(c, false, 0);
    return r < 0 ? r : send_piece(c, data, len, false);
}

static int respond_end(struct liege_request *req, const void *data, size_t len)
{
    struct conn *c = conn_of(req);
    struct answer *a = &c->answer;

    if (!a->started || a->ended)
        return -EINVAL;
    a->ended = true;
    if (a->failed)
        return -EPIPE;
    int r = a->sent ? 0 : decide(c, true, len);
    if (r == 0)
        r = send_piece(c, data, len, true);
    if (r == 0 && a->framed.framing == HTTP_FRAMING_LENGTH && a->body_bytes < a->framed.length) {
        log_error("%.*s: the application wrote %llu bytes of a Content-Length of %llu",
                  (int)req->target.len, req->target.data, (unsigned long long)a->body_bytes,
                  (unsigned long long)a->framed.length);
        a->failed = true;
    }
    return r;
}

/* A file whose bytes must be framed in pieces. */
static int copy_file(struct conn *c, int fd, uint64_t offset, uint64_t len)
{
    char *piece = arena_alloc(&c->arena, COPY_BYTES);

    while (len > 0) {
        ssize_t n = pread(fd, piece, (size_t)MIN(len, (uint64_t)COPY_BYTES), (off_t)offset);
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        int r = send_piece(c, piece, (size_t)n, false);
        if (r < 0)
            return r;
        offset += (uint64_t)n;
        len -= (uint64_t)n;
    }
    return 0;
}

static int respond_file(struct liege_request *req, int fd, uint64_t offset, uint64_t len)
{
    struct conn *c = conn_of(req);
    struct answer *a = &c->answer;

    if (!a->started || a->ended)
        return -EINVAL;
    if (a->failed)
        return -EPIPE;
    if (len == 0)
        return 0;
    /* As the first piece it is taken for the whole body: its length then frames it. */
    int r = a->sent ? 0 : decide(c, true, len);
    if (r < 0 || a->framed.framing == HTTP_FRAMING_NONE)
        return r;
    if (a->framed.framing == HTTP_FRAMING_CHUNKED)
        return copy_file(c, fd, offset, len);

    uint64_t fits =
        a->framed.framing == HTTP_FRAMING_LENGTH ? MIN(len, a->framed.length - a->body_bytes) : len;
    a->body_bytes += fits;
    if (c->file.fd >= 0)
        r = conn_wait_sent(c, 0);
    if (r == 0)
        r = conn_send_file(c, fd, offset, fits);
    if (r < 0)
        return gone(c, r);
    return fits < len ? -EOVERFLOW : 0;
}

static void respond_fail(struct liege_request *req)
{
    struct conn *c = conn_of(req);
    struct answer *a = &c->answer;

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
    if (http_head_error(&c->out, 500, NULL, c->h1.is_head, worker_date(c->worker)) < 0)
        a->failed = true;
    else
        (void)send_or_go(c, NULL, 0, true); /* marks the answer itself */
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
    return http_body_read(&conn_of(req)->body, buf, len);
}

static ssize_t body_read_line(struct liege_request *req, size_t max, const char **ret_data)
{
    return http_body_read_line(&conn_of(req)->body, max, ret_data);
}

static int body_seek(struct liege_request *req, uint64_t position)
{
    return http_body_seek(&conn_of(req)->body, position);
}

static uint64_t body_tell(const struct liege_request *req)
{
    return http_body_tell(&conn_of(req)->body);
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

/* What the parser does not know: the connection. */
static void fill_connection(struct conn *c)
{
    struct liege_request *req = &c->req;

    req->scheme = http_scheme;
    req->server_name = str_of(c->acceptor->server_name);
    req->server_port = str_of(c->acceptor->server_port);
    req->remote_addr = str_of(c->remote_addr);
    req->remote_port = str_of(c->remote_port);
    req->has_body = c->h1.has_body;
    req->body_length = http_body_length(&c->body);
}

/* No application is mounted where the path leads. */
static void answer_not_found(struct conn *c)
{
    static const char text[] = "Not Found\n";
    const struct liege_field type = {
        .name = {"Content-Type", 12},
        .value = {"text/plain", 10},
    };
    const struct liege_head head = {.status = 404, .fields = &type, .n_fields = 1};

    if (respond_start(&c->req, &head) == 0)
        (void)respond_end(&c->req, text, sizeof(text) - 1); /* marks the answer itself */
}

static void call(struct conn *c)
{
    struct liege_request *req = &c->req;
    const struct app_mount *m = apps_route(c->worker->start->apps, req->path.data, req->path.len);

    if (!m) {
        answer_not_found(c);
        return;
    }
    req->script_name = http_str(m->prefix, m->prefix_len);
    req->path.data += m->prefix_len;
    req->path.len -= m->prefix_len;
    req->app = m->app;
    c->worker->calling = c;
    m->plugin->call(req);
    c->worker->calling = NULL;
    if (c->worker->copied) {
        log_warning("%.*s: a process that the application forked there came back: it is ended",
                    (int)req->target.len, req->target.data);
        _exit(EXIT_FAILURE); /* it has no worker's duties */
    }
    if (!c->answer.ended && !c->answer.failed) {
        log_error("%.*s: the application did not finish its answer", (int)req->target.len,
                  req->target.data);
        respond_fail(req);
    }
}

/* A body that ends with the connection looks complete to the client unless it is reset. */
static void reset_connection(const struct conn *c)
{
    const struct linger hard = {.l_onoff = 1};

    (void)setsockopt(c->io.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

bool answer_request(struct conn *c, const char *base)
{
    struct worker *w = c->worker;
    struct answer *a = &c->answer;

    *a = (struct answer){0};
    if (w->log.enabled)
        a->start_us = clock_now_us();
    size_t n_dropped = h1_fill_request(&c->h1, base, &c->req);
    if (n_dropped > 0)
        log_debug("%s: %zu fields with an underscore in their names were left out", c->remote_addr,
                  n_dropped);
    fill_connection(c);
    call(c);
    if (w->log.enabled) {
        const struct access_entry e = {
            .req = &c->req,
            .status = a->status,
            .bytes = a->body_bytes,
            .duration_us = clock_now_us() - a->start_us,
        };
        access_log_add(&w->log, &e);
    }
    if (a->failed && a->framed.framing == HTTP_FRAMING_CLOSE)
        reset_connection(c);
    return !a->failed;
}
