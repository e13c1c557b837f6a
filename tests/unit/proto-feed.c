/* SPDX-License-Identifier: MIT */
/* Plays a peer that sends its bytes in steps, for the tests and the fuzzers of the parsers. Each
 * step is a new allocation of exactly the bytes received so far, so that the address sanitizer sees
 * a read too far, and a pointer kept over a step; the parser moves to new memory as well. */
#include "proto-feed.h"

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

/* How the bytes come: the first @first of them, then @step each time. */
struct cut {
    size_t first, step;
};

static char *exact_copy(const char *data, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);

    assert(copy);
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

static void move(struct proto **p)
{
    struct proto *moved = malloc(sizeof(*moved));

    assert(moved);
    memcpy(moved, *p, sizeof(*moved));
    memset(*p, 0xee, sizeof(**p));
    free(*p);
    *p = moved;
}

static void take_replies(struct proto *p, struct feed_result *ret)
{
    const char *data = NULL;

    if (!p->facts.has_replies)
        return;
    size_t len = proto_take_replies(p, &data);
    assert(len > 0 && len <= sizeof(ret->replies) - ret->replies_len && !p->facts.has_replies);
    memcpy(ret->replies + ret->replies_len, data, len);
    ret->replies_len += len;
}

/* How many bytes are here after the next step, when @have are here now. */
static size_t next(const struct cut *cut, size_t have, size_t len)
{
    size_t step = have < cut->first ? cut->first - have : cut->step;

    return step < len - have ? have + step : len;
}

static size_t feed_head(struct proto **p, const char *data, size_t len, const struct cut *cut,
                        struct feed_result *ret)
{
    size_t have = 0;

    ret->state = PROTO_MORE;
    while (ret->state == PROTO_MORE && have < len) {
        have = next(cut, have, len);
        char *copy = exact_copy(data, have);
        ret->state = proto_parse_head(*p, copy, have);
        free(copy);
        take_replies(*p, ret);
        move(p);
    }
    ret->head_len = ret->used = (*p)->facts.head_len;
    return have;
}

static void feed_body(struct proto **p, const char *data, size_t len, size_t have,
                      const struct cut *cut, struct http_body *body, struct feed_result *ret)
{
    ret->state = PROTO_MORE;
    while (ret->state == PROTO_MORE && ret->used < len) {
        if (ret->used == have)
            have = next(cut, have, len);
        size_t n = have - ret->used, used = 0;
        char *copy = exact_copy(data + ret->used, n);
        ret->state = proto_parse_body(*p, copy, n, body, &used);
        free(copy);
        take_replies(*p, ret);
        move(p);
        ret->used += used;
        assert(used <= n && (ret->state != PROTO_MORE || used == n));
    }
}

static void feed_cut(enum proto_id id, const char *data, size_t len, const struct cut *cut,
                     const struct proto_limits *limits, struct feed_result *ret)
{
    struct proto *p = malloc(sizeof(*p));
    struct arena arena = {0};
    struct http_body body;

    assert(p);
    memset(ret, 0, sizeof(*ret));
    http_body_init(&body, sizeof(ret->body), "/tmp");
    proto_init(p, id);
    proto_reset(p, limits, &arena);
    size_t have = feed_head(&p, data, len, cut, ret);
    if (ret->state == PROTO_HEAD_DONE)
        feed_body(&p, data, len, have, cut, &body, ret);
    ret->status = p->facts.status;
    ret->reason = p->facts.reason;
    assert(http_body_length(&body) == p->facts.body_bytes);
    ssize_t n = http_body_read(&body, ret->body, sizeof(ret->body));
    assert(n >= 0);
    ret->body_len = (size_t)n;
    http_body_done(&body);
    arena_done(&arena);
    free(p);
}

void feed(enum proto_id id, const char *data, size_t len, size_t step,
          const struct proto_limits *limits, struct feed_result *ret)
{
    const struct cut cut = {.step = step};

    feed_cut(id, data, len, &cut, limits, ret);
}

bool feed_is_same(const struct feed_result *a, const struct feed_result *b)
{
    if (a->state != b->state || a->status != b->status || a->replies_len != b->replies_len ||
        memcmp(a->replies, b->replies, a->replies_len) != 0)
        return false;
    if (a->state == PROTO_REFUSED)
        return a->reason == b->reason;
    return a->head_len == b->head_len && a->used == b->used && a->body_len == b->body_len &&
           memcmp(a->body, b->body, a->body_len) == 0;
}

void feed_all_ways(enum proto_id id, const char *data, size_t len,
                   const struct proto_limits *limits, struct feed_result *ret)
{
    static struct feed_result other;

    feed(id, data, len, FEED_WHOLE, limits, ret);
    for (size_t i = 1; i < len; i++) {
        const struct cut in_two = {.first = i, .step = len};
        feed(id, data, len, i, limits, &other);
        assert(feed_is_same(ret, &other));
        feed_cut(id, data, len, &in_two, limits, &other);
        assert(feed_is_same(ret, &other));
    }
}
