/* SPDX-License-Identifier: MIT */
/* Writes response heads. It owns the decision how a body is framed: the length that is known, or
 * chunks for HTTP/1.1, or the end of the connection for HTTP/1.0; an application can give a length
 * but cannot frame by itself. It promises that nothing an application puts into a reason, a name or
 * a value starts a new line or a second head, and that an error leaves no half a head behind. One
 * pass over the fields writes them; the worker sends the result and the body with one writev(2).
 * Called by the worker and, for refusals, by whoever answers them. */
#include "http/head.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "http/date.h"
#include "http/field.h"
#include "http/status.h"
#include "http/text.h"

#define STATUS_MIN  200
#define STATUS_MAX  599
#define SERVER_LINE "Server: liege\r\n"
#define NUMBER_MAX  20 /* digits of UINT64_MAX */

/* Room for the status line, Date, Server, framing and Connection, without the reason. */
#define FIXED_LINES_MAX 256

/* A field of a response that is not simply sent. */
enum kind {
    KIND_PLAIN,
    KIND_DATE,
    KIND_SERVER,
    KIND_LENGTH,
    KIND_CONNECTION,
    KIND_STATUS,     /* what the status line is called in CGI: left out of it */
    KIND_HOP_BY_HOP, /* RFC 9110 section 7.6.1: left out */
};

static enum kind field_kind(struct liege_str name)
{
    switch (name.len) {
    case 2:
        return http_equal(name, "te") ? KIND_HOP_BY_HOP : KIND_PLAIN;
    case 4:
        return http_equal(name, "date") ? KIND_DATE : KIND_PLAIN;
    case 6:
        if (http_equal(name, "status"))
            return KIND_STATUS;
        return http_equal(name, "server") ? KIND_SERVER : KIND_PLAIN;
    case 7:
        return http_equal(name, "upgrade") || http_equal(name, "trailer") ? KIND_HOP_BY_HOP
                                                                          : KIND_PLAIN;
    case 10:
        if (http_equal(name, "connection"))
            return KIND_CONNECTION;
        return http_equal(name, "keep-alive") ? KIND_HOP_BY_HOP : KIND_PLAIN;
    case 14:
        return http_equal(name, "content-length") ? KIND_LENGTH : KIND_PLAIN;
    case 16:
        return http_equal(name, "proxy-connection") ? KIND_HOP_BY_HOP : KIND_PLAIN;
    case 17:
        return http_equal(name, "transfer-encoding") ? KIND_HOP_BY_HOP : KIND_PLAIN;
    default:
        return KIND_PLAIN;
    }
}

/* These four write where buf_reserve() has made room. */
static void put(struct buf *out, const char *data, size_t len)
{
    if (len > 0)
        memcpy(out->data + out->end, data, len);
    out->end += len;
}

static void put_text(struct buf *out, const char *text)
{
    put(out, text, strlen(text));
}

static void put_number(struct buf *out, uint64_t n)
{
    char digits[NUMBER_MAX];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    put(out, digits + at, sizeof(digits) - at);
}

static void put_field(struct buf *out, const struct liege_field *f)
{
    put(out, f->name.data, f->name.len);
    put(out, ": ", 2);
    put(out, f->value.data, f->value.len);
    put(out, "\r\n", 2);
}

static int take_length(struct http_draft *d, struct liege_str value, struct errmsg *err)
{
    uint64_t length = 0;
    int r = http_length_parse(value, &length);

    if (r < 0)
        return errmsg_set(err, -EINVAL, "response: Content-Length is not a number of bytes");
    if (d->has_length && d->length != length)
        return errmsg_set(err, -EINVAL,
                          "response: two Content-Length fields, %" PRIu64 " and %" PRIu64,
                          d->length, length);
    d->has_length = true;
    d->length = length;
    return 0;
}

static bool is_cgi(enum http_style style)
{
    return style == HTTP_STYLE_SCGI || style == HTTP_STYLE_FASTCGI;
}

static int take_field(struct http_draft *d, const struct liege_field *f, struct errmsg *err)
{
    if (f->name.len == 0 || !http_all(f->name.data, f->name.len, HTTP_CLASS_TOKEN))
        return errmsg_set(err, -EINVAL,
                          "response: a field's name is empty or has a character that "
                          "is not allowed in a name");
    if (!http_is_value(f->value.data, f->value.len))
        return errmsg_set(err, -EINVAL, "response: the value of %.*s has a control character",
                          (int)MIN(f->name.len, (size_t)100), f->name.data);

    switch (field_kind(f->name)) {
    case KIND_LENGTH:
        return take_length(d, f->value, err);
    case KIND_CONNECTION:
        d->close |= http_list_has(f->value, "close");
        return 0;
    case KIND_HOP_BY_HOP:
        return 0;
    case KIND_DATE:
        d->has_date = true;
        break;
    case KIND_SERVER:
        d->has_server = true;
        break;
    case KIND_STATUS:
        if (is_cgi(d->style))
            return 0;
        break;
    case KIND_PLAIN:
        break;
    }

    int r = buf_reserve(d->out, f->name.len + f->value.len + 4);
    if (r < 0)
        return r;
    put_field(d->out, f);
    return 0;
}

/* "Connection: close" is about the client's connection, not about a web server's. */
static bool keeps_connection(const struct http_draft *d)
{
    switch (d->style) {
    case HTTP_STYLE_HTTP:
        return !d->close;
    case HTTP_STYLE_FASTCGI:
        return true;
    default:
        return false;
    }
}

/* RFC 9112 section 6.3, from the sender's side. */
static struct http_framed decide_framing(struct http_draft *d, int status,
                                         const struct http_exchange *ex)
{
    bool known = d->has_length || ex->length_known;
    uint64_t length = d->has_length ? d->length : ex->length;
    struct http_framed f = {
        .length = known ? length : 0,
        .keep_alive = ex->keep_alive && keeps_connection(d),
    };

    if (status == 204 || status == 304) {
        f.framing = HTTP_FRAMING_NONE;
    } else if (ex->head_request) {
        /* Many applications leave out the body of a HEAD: 0 bytes then say nothing. */
        f.framing = HTTP_FRAMING_NONE;
        d->announce = d->has_length || f.length > 0;
    } else if (known) {
        f.framing = HTTP_FRAMING_LENGTH;
        d->announce = true;
    } else if (d->style == HTTP_STYLE_FASTCGI) {
        f.framing = HTTP_FRAMING_RECORDS;
    } else if (d->style == HTTP_STYLE_HTTP && ex->minor >= 1) {
        f.framing = HTTP_FRAMING_CHUNKED;
    } else {
        f.framing = HTTP_FRAMING_CLOSE;
        f.keep_alive = false;
    }
    return f;
}

static void put_framing(const struct http_draft *d, const struct http_framed *f, unsigned minor)
{
    if (f->framing == HTTP_FRAMING_CHUNKED)
        put_text(d->out, "Transfer-Encoding: chunked\r\n");
    if (d->announce) {
        put_text(d->out, "Content-Length: ");
        put_number(d->out, f->length);
        put_text(d->out, "\r\n");
    }
    if (d->style != HTTP_STYLE_HTTP)
        return;
    if (!f->keep_alive)
        put_text(d->out, "Connection: close\r\n");
    else if (minor == 0)
        put_text(d->out, "Connection: keep-alive\r\n");
}

/* clang-format off */
static const char *const status_starts[] = {
    [HTTP_STYLE_HTTP]    = "HTTP/1.1 ",
    [HTTP_STYLE_UWSGI]   = "HTTP/1.1 ",
    [HTTP_STYLE_SCGI]    = "Status: ",
    [HTTP_STYLE_FASTCGI] = "Status: ",
};
/* clang-format on */
static_assert(COUNT_OF(status_starts) == HTTP_STYLE_COUNT, "one start for each style");

static int put_status(struct buf *out, enum http_style style, const struct liege_head *head,
                      struct errmsg *err)
{
    struct liege_str reason = head->reason;

    if (head->status < STATUS_MIN || head->status > STATUS_MAX)
        return errmsg_set(err, -EINVAL, "response: status %d is not in %d..%d", head->status,
                          STATUS_MIN, STATUS_MAX);
    if (!http_is_value(reason.data, reason.len))
        return errmsg_set(err, -EINVAL, "response: the reason phrase has a control character");
    if (reason.len == 0) {
        const char *standard = http_status_reason(head->status);
        reason = http_str(standard, strlen(standard));
    }

    int r = buf_reserve(out, reason.len + FIXED_LINES_MAX);
    if (r < 0)
        return r;
    put_text(out, status_starts[style]);
    put_number(out, (uint64_t)head->status);
    put_text(out, " ");
    put(out, reason.data, reason.len);
    put_text(out, "\r\n");
    return 0;
}

void http_head_withdraw(struct http_draft *d)
{
    d->out->end = d->out->start + d->before; /* buf_reserve() may have moved the start */
}

void http_head_replace(struct http_draft *d, const struct http_draft *next)
{
    struct buf *out = d->out;
    size_t before = d->before, len = buf_len(out) - next->before;

    memmove(buf_at(out) + before, buf_at(out) + next->before, len);
    out->end = out->start + before + len;
    *d = *next;
    d->before = before;
}

int http_head_begin(struct http_draft *d, struct buf *out, enum http_style style,
                    const struct liege_head *head, struct errmsg *err)
{
    *d = (struct http_draft){
        .out = out,
        .style = style,
        .before = buf_len(out),
        .status = head->status,
    };
    int r = put_status(out, style, head, err);

    for (size_t i = 0; i < head->n_fields && r == 0; i++)
        r = take_field(d, &head->fields[i], err);
    if (r < 0)
        http_head_withdraw(d);
    return r;
}

int http_head_end(struct http_draft *d, const struct http_exchange *ex, struct http_framed *ret)
{
    int r = buf_reserve(d->out, FIXED_LINES_MAX);

    if (r < 0)
        return r;
    bool to_client = d->style == HTTP_STYLE_HTTP;
    if (to_client && !d->has_server)
        put_text(d->out, SERVER_LINE);
    if (to_client && !d->has_date) {
        put_text(d->out, "Date: ");
        put(d->out, ex->date, HTTP_DATE_LEN);
        put_text(d->out, "\r\n");
    }
    *ret = decide_framing(d, d->status, ex);
    put_framing(d, ret, ex->minor);
    put_text(d->out, "\r\n");
    return 0;
}

int http_head_write(struct buf *out, enum http_style style, const struct liege_head *head,
                    const struct http_exchange *ex, struct http_framed *ret, struct errmsg *err)
{
    struct http_draft d;
    int r = http_head_begin(&d, out, style, head, err);

    if (r < 0)
        return r;
    r = http_head_end(&d, ex, ret);
    if (r < 0)
        http_head_withdraw(&d);
    return r;
}

int http_head_error(struct buf *out, enum http_style style, int status,
                    const struct liege_field *extra, bool head_request, const char *date)
{
    const char *text = http_status_reason(status);
    struct liege_field fields[2] = {
        {.name = http_str("Content-Type", 12), .value = http_str("text/plain", 10)},
    };
    struct liege_head head = {.status = status, .fields = fields, .n_fields = 1};
    struct http_exchange ex = {
        .minor = 1,
        .head_request = head_request,
        .length_known = true,
        .length = strlen(text) + 1,
        .date = date,
    };
    struct http_framed framed = {0};

    if (extra)
        fields[head.n_fields++] = *extra;
    int r = http_head_write(out, style, &head, &ex, &framed, NULL);
    if (r < 0 || framed.framing == HTTP_FRAMING_NONE)
        return r;

    r = buf_reserve(out, strlen(text) + 1);
    if (r < 0)
        return r;
    put_text(out, text);
    put_text(out, "\n");
    return 0;
}

size_t http_chunk_head(char out[HTTP_CHUNK_HEAD_MAX], size_t len)
{
    static const char hex[] = "0123456789abcdef";
    size_t n_digits = 1, n = 0;

    assert(len > 0); /* a chunk of 0 bytes would end the body */
    for (size_t rest = len >> 4; rest > 0; rest >>= 4)
        n_digits++;
    for (size_t shift = 4 * n_digits; shift > 0; shift -= 4)
        out[n++] = hex[len >> (shift - 4) & 0xf];
    out[n++] = '\r';
    out[n++] = '\n';
    return n;
}
