/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "proto/h1.h"

/* Feeds a connection's bytes to the HTTP/1 parser for its tests and its fuzzer. */

#define FEED_WHOLE ((size_t)-1)

struct feed_result {
    enum proto_state state; /* PROTO_MORE: the bytes ended before the request did */
    int status;             /* with PROTO_REFUSED */
    const char *reason;
    size_t head_len, used; /* used: bytes of the first request */
    size_t body_len;
    char body[65536];
};

extern const struct proto_limits feed_limits;

/* Parses the first request of @data in steps of @step bytes. All memory the parser may look at is
 * exactly as long as what was "received", and moves with each step. */
void feed(const char *data, size_t len, size_t step, const struct proto_limits *limits,
          struct feed_result *ret);
