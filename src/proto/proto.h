/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "base/macro.h"
#include "http/head.h"
#include "proto/facts.h"
#include "proto/fastcgi.h"
#include "proto/h1.h"
#include "proto/proto-id.h"
#include "proto/scgi.h"
#include "proto/uwsgi.h"

struct buf;
struct proto;

/* Any of the protocols: bytes in, a struct liege_request out, and the answer's bytes framed. A
 * request is read as h1.h says, whatever the protocol:
 *
 *   proto_init() once, then for each request proto_reset(), proto_parse_head() until it is not
 *   PROTO_MORE, proto_parse_body() while PROTO_HEAD_DONE or PROTO_MORE, proto_fill_request().
 *
 * After each step, when facts.has_replies is set, what proto_take_replies() gives is to be sent.
 * Nothing in a struct proto points into itself or into the bytes. */

struct proto_ops {
    const char *name; /* for the log: "uwsgi" */
    enum http_style style;
    bool gateway; /* the peer is a web server and says itself who the client is, and the scheme */
    void (*reset)(struct proto *p, const struct proto_limits *limits, struct arena *arena);
    enum proto_state (*parse_head)(struct proto *p, const char *base, size_t len);
    enum proto_state (*parse_body)(struct proto *p, const char *data, size_t len,
                                   struct http_body *sink, size_t *ret_used);
    size_t (*fill_request)(struct proto *p, const char *base, struct liege_request *req);
};

extern const struct proto_ops protocols[PROTO_COUNT];

struct proto {
    const struct proto_ops *ops;
    union { /* each parser begins with its facts */
        struct proto_facts facts;
        struct h1 h1;
        struct uwsgi uwsgi;
        struct fastcgi fastcgi;
        struct scgi scgi;
    };
};

/* A connection speaks @id from now on. proto_reset() is to be called before the first request. */
static inline void proto_init(struct proto *p, enum proto_id id)
{
    p->ops = &protocols[id];
}

/* These four: see h1_reset(), h1_parse_head(), h1_parse_body() and h1_fill_request(). For a gateway
 * the last one fills scheme, server_name, server_port, remote_addr and remote_port too; what the
 * web server did not say is empty. script_name is the web server's. */
static inline void proto_reset(struct proto *p, const struct proto_limits *limits,
                               struct arena *arena)
{
    p->ops->reset(p, limits, arena);
}

static inline enum proto_state proto_parse_head(struct proto *p, const char *base, size_t len)
{
    return p->ops->parse_head(p, base, len);
}

static inline enum proto_state proto_parse_body(struct proto *p, const char *data, size_t len,
                                                struct http_body *sink, size_t *ret_used)
{
    return p->ops->parse_body(p, data, len, sink, ret_used);
}

static inline size_t proto_fill_request(struct proto *p, const char *base,
                                        struct liege_request *req)
{
    return p->ops->fill_request(p, base, req);
}

/* What the protocol itself has to say to the peer, whatever becomes of the request: *@ret_data is
 * valid until the next call for @p. Returns how many bytes, each only once. */
size_t proto_take_replies(struct proto *p, const char **ret_data);

/* False as long as nobody is there to be answered: a FastCGI request has not begun. */
bool proto_can_answer(const struct proto *p);

/* A piece of an answer's body, with what stands around it. Movable only with its data: the vectors
 * point into it. */
#define PROTO_FRAME_IOVS 4
struct proto_frame {
    struct iovec iov[PROTO_FRAME_IOVS];
    size_t n_iov;
    size_t taken; /* bytes of the data */
    char before[HTTP_CHUNK_HEAD_MAX];
    char after[FASTCGI_HEAD_LEN + FASTCGI_END_LEN];
};

/* Frames the next piece of the body of an answer that @framing was decided for. The frame takes all
 * of @data, but for FastCGI at most FASTCGI_MAX_CONTENT: call again for the rest. With @last, and
 * nothing left, it also has what ends the answer, which for FastCGI is needed with any framing; for
 * HTTP_FRAMING_NONE @len is 0. The vectors point into @ret and to @data. */
void proto_frame_piece(const struct proto *p, enum http_framing framing, const void *data,
                       size_t len, bool last, struct proto_frame *ret);

/* True if a piece of the body needs something around it: it cannot be sent with sendfile(2). */
bool proto_frames_pieces(const struct proto *p, enum http_framing framing);

/* Makes of the bytes that stand in @out from @at on (counted from the front: a head that has just
 * been ended, or with @last a whole answer) what is sent of them. Only FastCGI changes them.
 * Returns 0, or -ENOMEM with @out as it was. */
int proto_wrap(const struct proto *p, struct buf *out, size_t at, bool last) _must_check_;
