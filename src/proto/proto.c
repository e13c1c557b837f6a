/* SPDX-License-Identifier: MIT */
/* The table of the protocols, and what is put around the pieces of an answer. HTTP/1.1 is the one
 * that must be fast: a step costs it an indirect call, a piece of its body no more than it did
 * without the others. Called by the worker. */
#include "proto/proto.h"

#include <assert.h>

#define PARSER(name)                                                                               \
    static void name##_reset_proto(struct proto *p, const struct proto_limits *limits,             \
                                   struct arena *arena)                                            \
    {                                                                                              \
        name##_reset(&p->name, limits, arena);                                                     \
    }                                                                                              \
    static enum proto_state name##_parse_proto_head(struct proto *p, const char *base, size_t len) \
    {                                                                                              \
        return name##_parse_head(&p->name, base, len);                                             \
    }                                                                                              \
    static enum proto_state name##_parse_proto_body(struct proto *p, const char *data, size_t len, \
                                                    struct http_body *sink, size_t *ret_used)      \
    {                                                                                              \
        return name##_parse_body(&p->name, data, len, sink, ret_used);                             \
    }                                                                                              \
    static size_t name##_fill_proto_request(struct proto *p, const char *base,                     \
                                            struct liege_request *req)                             \
    {                                                                                              \
        return name##_fill_request(&p->name, base, req);                                           \
    }

PARSER(h1)
PARSER(uwsgi)
PARSER(fastcgi)
PARSER(scgi)

#define STEPS(parser)                                                                              \
    .reset = parser##_reset_proto, .parse_head = parser##_parse_proto_head,                        \
    .parse_body = parser##_parse_proto_body, .fill_request = parser##_fill_proto_request

/* clang-format off */
const struct proto_ops protocols[PROTO_COUNT] = {
    [PROTO_HTTP]    = { .name = "http",    .style = HTTP_STYLE_HTTP,    STEPS(h1) },
    [PROTO_UWSGI]   = { .name = "uwsgi",   .style = HTTP_STYLE_UWSGI,   STEPS(uwsgi),
                        .gateway = true },
    [PROTO_FASTCGI] = { .name = "fastcgi", .style = HTTP_STYLE_FASTCGI, STEPS(fastcgi),
                        .gateway = true },
    [PROTO_SCGI]    = { .name = "scgi",    .style = HTTP_STYLE_SCGI,    STEPS(scgi),
                        .gateway = true },
};
/* clang-format on */

/* A pointer to the union is one to the facts, whichever parser is in it. */
static_assert(offsetof(struct h1, facts) == 0 && offsetof(struct uwsgi, facts) == 0 &&
                  offsetof(struct fastcgi, facts) == 0 && offsetof(struct scgi, facts) == 0,
              "each parser begins with its facts");

static_assert(HTTP_CHUNK_HEAD_MAX >= FASTCGI_HEAD_LEN, "either fits into proto_frame.before");

static bool in_records(const struct proto *p)
{
    return p->ops->style == HTTP_STYLE_FASTCGI;
}

size_t proto_take_replies(struct proto *p, const char **ret_data)
{
    assert(in_records(p));
    return fastcgi_take_replies(&p->fastcgi, ret_data);
}

bool proto_can_answer(const struct proto *p)
{
    return !in_records(p) || p->fastcgi.id > 0;
}

static void add(struct proto_frame *f, const void *data, size_t len)
{
    f->iov[f->n_iov++] = (struct iovec){.iov_base = (void *)data, .iov_len = len};
}

static void frame_record(const struct fastcgi *f, const void *data, size_t len, bool last,
                         struct proto_frame *ret)
{
    size_t n = MIN(len, (size_t)FASTCGI_MAX_CONTENT);

    ret->taken = n;
    if (n > 0) {
        fastcgi_put_head(ret->before, FASTCGI_STDOUT, f->id, n);
        add(ret, ret->before, FASTCGI_HEAD_LEN);
        add(ret, data, n);
    }
    if (last && n == len) {
        fastcgi_put_head(ret->after, FASTCGI_STDOUT, f->id, 0);
        fastcgi_put_end(ret->after + FASTCGI_HEAD_LEN, f->id, FASTCGI_REQUEST_COMPLETE);
        add(ret, ret->after, sizeof(ret->after));
    }
}

void proto_frame_piece(const struct proto *p, enum http_framing framing, const void *data,
                       size_t len, bool last, struct proto_frame *ret)
{
    bool chunked = framing == HTTP_FRAMING_CHUNKED;

    assert(len == 0 || framing != HTTP_FRAMING_NONE);
    ret->n_iov = 0;
    if (in_records(p)) {
        frame_record(&p->fastcgi, data, len, last, ret);
        return;
    }
    ret->taken = len;
    if (len > 0) {
        if (chunked)
            add(ret, ret->before, http_chunk_head(ret->before, len));
        add(ret, data, len);
        if (chunked)
            add(ret, HTTP_CHUNK_END, sizeof(HTTP_CHUNK_END) - 1);
    }
    if (chunked && last)
        add(ret, HTTP_CHUNK_LAST, sizeof(HTTP_CHUNK_LAST) - 1);
}

bool proto_frames_pieces(const struct proto *p, enum http_framing framing)
{
    return framing == HTTP_FRAMING_CHUNKED || in_records(p);
}

int proto_wrap(const struct proto *p, struct buf *out, size_t at, bool last)
{
    return in_records(p) ? fastcgi_wrap(out, at, p->fastcgi.id, last) : 0;
}
