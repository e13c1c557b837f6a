/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

struct http_body;

/* What all parsers of requests share: the limits they keep, what they say after each step, and the
 * facts about a request that the worker needs whatever the protocol is. */

struct proto_limits {
    size_t max_head_bytes;   /* buffer-size: the whole head, below 16 MiB */
    size_t max_target_bytes; /* limit-request-line */
    size_t max_field_bytes;  /* limit-request-field-size: a line; also all trailers together */
    size_t max_fields;       /* limit-request-fields */
    uint64_t max_body_bytes; /* limit-post; 0: no limit */
};

enum proto_state {
    PROTO_MORE,      /* more bytes are needed */
    PROTO_HEAD_DONE, /* the head is good and a body follows */
    PROTO_COMPLETE,  /* the request is complete */
    PROTO_REFUSED,   /* answer the status with the reason in the log, then close */
};

struct proto_facts {
    /* Valid from PROTO_HEAD_DONE or PROTO_COMPLETE on. */
    size_t head_len;         /* with what stands before it; the body starts here */
    unsigned minor;          /* the client speaks HTTP/1.@minor (at least, if it is 1) */
    bool is_head;            /* the method is HEAD */
    bool keep_alive;         /* the client can take another response on this connection */
    bool has_body;           /* it comes with a body, of perhaps 0 bytes */
    bool length_unknown;     /* the body's length shows at its end only (chunked, say) */
    bool expect_continue;    /* it waits for "100 Continue" before it sends the body */
    bool upgrade;            /* it offers another protocol; nothing here takes the offer */
    bool has_replies;        /* there is something for proto_take_replies(); after any step */
    uint64_t content_length; /* of a body whose length is known */
    uint64_t body_bytes;     /* of the body, parsed so far */

    /* With PROTO_REFUSED. */
    int status;         /* 400, 411, 413, 414, 417, 431, 500, 501, 505 or 507; 0: there is nobody to
                           answer, close */
    int error;          /* the negative errno behind 413, 500 and 507 when storing failed, or 0 */
    const char *reason; /* static, for a line of the log */
};

static inline enum proto_state facts_refuse(struct proto_facts *f, int status, const char *reason)
{
    f->status = status;
    f->reason = reason;
    return PROTO_REFUSED;
}

/* Hands on @len bytes of the body to @sink (NULL: nobody wants them) and counts them. False: they
 * cannot be stored, and the request is refused. */
bool facts_store(struct proto_facts *f, const void *data, size_t len,
                 struct http_body *sink) _must_check_;

/* Takes the next bytes of a body whose length is known and not reached yet; as a parser's
 * parse_body(). */
enum proto_state facts_count_body(struct proto_facts *f, const char *data, size_t len,
                                  struct http_body *sink, size_t *ret_used);
