/* SPDX-License-Identifier: MIT */
/* Plays a client that sends its bytes in steps, for the tests and the fuzzer of the HTTP/1 parser.
 * Each step is a new allocation of exactly the bytes received so far, so that the address sanitizer
 * sees a read too far, and a pointer kept over a step. */
#include "h1-feed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "http/body.h"

const struct proto_limits feed_limits = {
    .max_head_bytes = 65536,
    .max_target_bytes = 16384,
    .max_field_bytes = 16384,
    .max_fields = 100,
    .max_body_bytes = 1 << 20,
};

static char *exact_copy(const char *data, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);

    assert(copy);
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

static void feed_head(struct h1 *h, const char *data, size_t len, size_t step,
                      struct feed_result *ret)
{
    size_t have = 0;

    ret->state = PROTO_MORE;
    while (ret->state == PROTO_MORE && have < len) {
        have = step < len - have ? have + step : len;
        char *copy = exact_copy(data, have);
        ret->state = h1_parse_head(h, copy, have);
        free(copy);
    }
    ret->head_len = ret->used = h->facts.head_len;
}

static void feed_body(struct h1 *h, const char *data, size_t len, size_t step,
                      struct http_body *body, struct feed_result *ret)
{
    ret->state = PROTO_MORE;
    while (ret->state == PROTO_MORE && ret->used < len) {
        size_t n = step < len - ret->used ? step : len - ret->used, used = 0;
        char *copy = exact_copy(data + ret->used, n);
        ret->state = h1_parse_body(h, copy, n, body, &used);
        free(copy);
        ret->used += used;
        assert(ret->state != PROTO_MORE || used == n);
    }
}

void feed(const char *data, size_t len, size_t step, const struct proto_limits *limits,
          struct feed_result *ret)
{
    struct h1 *h = malloc(sizeof(*h));
    struct arena arena = {0};
    struct http_body body;

    assert(h);
    memset(ret, 0, sizeof(*ret));
    http_body_init(&body, sizeof(ret->body), "/tmp");
    h1_reset(h, limits, &arena);
    feed_head(h, data, len, step, ret);
    if (ret->state == PROTO_HEAD_DONE)
        feed_body(h, data, len, step, &body, ret);
    ret->status = h->facts.status;
    ret->reason = h->facts.reason;
    assert(http_body_length(&body) == h->facts.body_bytes);
    ssize_t n = http_body_read(&body, ret->body, sizeof(ret->body));
    assert(n >= 0);
    ret->body_len = (size_t)n;
    http_body_done(&body);
    arena_done(&arena);
    free(h);
}
