/* SPDX-License-Identifier: MIT */
#pragma once

#include "proto/cgi.h"
#include "proto/facts.h"

/* Requests of the uwsgi protocol: a head of 4 bytes (modifier1, the size of what follows in little
 * endian, modifier2), variables as pairs of strings with 2 bytes of length each, then
 * CONTENT_LENGTH bytes of body. modifier1 says what a packet is; 0 (WSGI) and 5 (PSGI) are requests
 * and answered by whatever application is loaded, modifier2 means nothing for them. All others,
 * among them those that would run code or reload the server, are refused. One request a connection.
 *
 * To be used like h1; see proto/h1.h. */
struct uwsgi {
    struct proto_facts facts;
    struct cgi cgi;
};

void uwsgi_reset(struct uwsgi *u, const struct proto_limits *limits, struct arena *arena);
enum proto_state uwsgi_parse_head(struct uwsgi *u, const char *base, size_t len);
enum proto_state uwsgi_parse_body(struct uwsgi *u, const char *data, size_t len,
                                  struct http_body *sink, size_t *ret_used);
size_t uwsgi_fill_request(struct uwsgi *u, const char *base, struct liege_request *req);
