/* SPDX-License-Identifier: MIT */
#pragma once

#include "proto/cgi.h"
#include "proto/facts.h"
#include "proto/fastcgi-write.h"

/* Requests of FastCGI 1.0, in the role of a responder, one at a time on a connection: a web server
 * that begins another one meanwhile is told so (CANT_MPX_CONN), and that one's records are ignored,
 * as are all of requests that are not open. The head of a request is what comes up to the end of
 * its PARAMS, records that do not belong to it included; its body ends with its STDIN.
 *
 * To be used like h1 (see proto/h1.h), with an addition: some records have an answer of their own,
 * which is to be sent before anything else. With status 0 of PROTO_REFUSED that is all there is to
 * say. */

#define FASTCGI_MAX_REPLIES 8 /* for one request */
#define FASTCGI_REPLY_MAX   32
#define FASTCGI_MAX_QUERY   128 /* bytes of a GET_VALUES record */

struct fastcgi_record {
    uint8_t type;
    uint8_t padding;
    uint16_t id, len;
};

struct fastcgi {
    struct proto_facts facts;
    struct cgi cgi;
    uint16_t id;          /* of the request, once it has begun; 0: none */
    uint8_t phase;        /* enum fastcgi_phase */
    uint32_t fed;         /* bytes of the head, in whole records */
    uint32_t params;      /* where the content of the first PARAMS record stands */
    uint32_t params_len;  /* of all of them together */
    uint32_t n_params;    /* how many */
    const char *joined;   /* all of them, if there are several; in the arena */
    uint32_t aside_bytes; /* of the body, in records that carry none of it */

    /* A record between the body's bytes, as far as it is here. */
    char head[FASTCGI_HEAD_LEN];
    uint8_t head_len;
    struct fastcgi_record record;
    uint8_t use; /* enum fastcgi_use: of the record */
    uint32_t left, padding_left;
    char content[FASTCGI_MAX_QUERY];

    char replies[FASTCGI_MAX_REPLIES * FASTCGI_REPLY_MAX];
    uint8_t n_replies;
    uint16_t replies_len, replies_taken;
};

void fastcgi_reset(struct fastcgi *f, const struct proto_limits *limits, struct arena *arena);
enum proto_state fastcgi_parse_head(struct fastcgi *f, const char *base, size_t len);
enum proto_state fastcgi_parse_body(struct fastcgi *f, const char *data, size_t len,
                                    struct http_body *sink, size_t *ret_used);
size_t fastcgi_fill_request(struct fastcgi *f, const char *base, struct liege_request *req);

/* What is to be sent to the web server now: *@ret_data stands in @f, until its next call. Returns
 * the bytes, and never the same ones again. */
size_t fastcgi_take_replies(struct fastcgi *f, const char **ret_data);
