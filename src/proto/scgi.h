/* SPDX-License-Identifier: MIT */
#pragma once

#include "proto/cgi.h"
#include "proto/facts.h"

/* Requests of SCGI (protocol version 1): a netstring ("70:", 70 bytes, ",") of names and values
 * that each end in a NUL, with CONTENT_LENGTH first and SCGI, which is "1", somewhere; then
 * CONTENT_LENGTH bytes of body. One request a connection.
 *
 * To be used like h1; see proto/h1.h. */
struct scgi {
    struct proto_facts facts;
    struct cgi cgi;
    uint32_t start; /* of the variables; 0: not known yet */
};

void scgi_reset(struct scgi *s, const struct proto_limits *limits, struct arena *arena);
enum proto_state scgi_parse_head(struct scgi *s, const char *base, size_t len);
enum proto_state scgi_parse_body(struct scgi *s, const char *data, size_t len,
                                 struct http_body *sink, size_t *ret_used);
size_t scgi_fill_request(struct scgi *s, const char *base, struct liege_request *req);
