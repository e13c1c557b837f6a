/* SPDX-License-Identifier: MIT */
#pragma once

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"
#include "liege/app.h"
#include "proto/facts.h"

struct arena;

/* HTTP/1.0 and 1.1 requests (RFC 9112): bytes in, a struct liege_request out. No sockets, no clock,
 * no logging. One struct h1 reads one request at a time:
 *
 *   h1_reset(), h1_parse_head() until it is not PROTO_MORE, h1_parse_body() while PROTO_HEAD_DONE
 * or PROTO_MORE, h1_fill_request() once the head's bytes have their final place.
 *
 * Nothing in it points into itself or into the bytes: between calls it may be moved with memcpy(),
 * and so may they. */

#define H1_FIELDS_INLINE 64 /* more take memory from the arena */

/* A field, as offsets from the first byte of the request. */
struct h1_field {
    uint32_t name, value, value_len;
    uint32_t name_len : 24;
    uint32_t id : 8; /* enum liege_field_id */
};

struct h1 {
    struct proto_facts facts;

    /* The rest belongs to the parser. */
    llhttp_t parser;
    const struct proto_limits *limits;
    struct arena *arena;
    const char *base;       /* during a call: the first byte of the request */
    struct http_body *sink; /* during a call */
    struct h1_field *more;  /* all fields, when there are more than @fields has room for */
    uint32_t fed;           /* bytes that were skipped, or that llhttp has seen */
    uint32_t start;         /* of the request line */
    uint32_t target, target_end;
    uint32_t n_fields;       /* may be over the limit: the head is then refused */
    uint32_t name_end;       /* of the last field's name */
    uint32_t path, path_len; /* nothing for a target that has none: "http://host" */
    uint32_t query, query_len;
    uint32_t host, host_len; /* of a target in absolute form whose request has no Host field */
    uint64_t chunk_left;     /* of the size that is read, or of the data */
    uint32_t line_bytes;     /* of chunk framing since the last data */
    uint32_t excess_bytes;   /* of chunk framing, beyond what a chunk needs */
    uint32_t trailer_bytes;
    uint8_t phase;         /* enum h1_phase */
    uint8_t chunk_state;   /* enum chunk_state */
    uint8_t trailer_state; /* enum trailer_state */
    uint8_t name_len;      /* of a trailer, as far as it is in @name */
    bool escaped;          /* the path has a '%' */
    char name[24];         /* of a trailer */
    struct h1_field fields[H1_FIELDS_INLINE];
};

/* Makes @h ready for a request. @limits and @arena stay the caller's; the arena gives memory for
 * many fields, decoded paths and joined values, and must not be reset before the request is over.
 */
void h1_reset(struct h1 *h, const struct proto_limits *limits, struct arena *arena);

/* Parses a head. @base: all bytes of the request so far, from its first one; @len of them. They may
 * stand elsewhere than at the last call. Bytes after the head are not looked at. Returns
 * PROTO_MORE, PROTO_HEAD_DONE, PROTO_COMPLETE (no body) or PROTO_REFUSED. */
enum proto_state h1_parse_head(struct h1 *h, const char *base, size_t len);

/* Parses the next @len bytes of the body after PROTO_HEAD_DONE, and appends what they carry to
 * @sink (NULL: throws it away). *@ret_used: how many belonged to this request; with PROTO_MORE all.
 * An end of the connection at PROTO_MORE means that the body is truncated. Returns PROTO_MORE,
 * PROTO_COMPLETE or PROTO_REFUSED. */
enum proto_state h1_parse_body(struct h1 *h, const char *data, size_t len, struct http_body *sink,
                               size_t *ret_used);

/* Fills method, target, path, query, protocol, fields, has_body and body_length (of what has been
 * parsed so far, or announced) of @req, which then points into @base, to @h's arena and to static
 * text. script_name becomes empty. The rest is the caller's, who knows the connection. @base: the
 * bytes of the head where they will stay. Returns how many fields were left out because their name
 * has an underscore. */
size_t h1_fill_request(struct h1 *h, const char *base, struct liege_request *req);
