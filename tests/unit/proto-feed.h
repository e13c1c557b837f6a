/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "proto/proto.h"

/* Feeds a connection's bytes to the parser of a protocol, for the tests and the fuzzers. */

#define FEED_WHOLE ((size_t)-1)

struct feed_result {
    enum proto_state state; /* PROTO_MORE: the bytes ended before the request did */
    int status;             /* with PROTO_REFUSED */
    const char *reason;
    size_t head_len, used; /* used: bytes of the first request */
    size_t body_len;
    char body[65536];
    size_t replies_len; /* what the protocol said itself */
    char replies[512];
};

extern const struct proto_limits feed_limits;

/* Parses the first request of @data in steps of @step bytes. All memory the parser may look at is
 * exactly as long as what was "received", and moves with each step, as does the parser itself. */
void feed(enum proto_id id, const char *data, size_t len, size_t step,
          const struct proto_limits *limits, struct feed_result *ret);

/* Does the same for a step of each number of bytes up to all of them, and for each way to cut them
 * in two, and asserts that the result is that of all at once, which is returned. */
void feed_all_ways(enum proto_id id, const char *data, size_t len,
                   const struct proto_limits *limits, struct feed_result *ret);

/* True if two ways of feeding came to the same end. */
bool feed_is_same(const struct feed_result *a, const struct feed_result *b);
