/* SPDX-License-Identifier: MIT */
/* Any bytes as an HTTP/1 connection. The first byte chooses how they are cut; what comes out must
 * not depend on it. Of an accepted request, the parts are checked for what no application should
 * ever see. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "h1-feed.h"
#include "http/text.h"

#define MAX_BYTES 8192 /* the cost of feeding single bytes is quadratic */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct proto_limits small_limits = {
    .max_head_bytes = 512,
    .max_target_bytes = 64,
    .max_field_bytes = 64,
    .max_fields = 70,
    .max_body_bytes = 32,
};

static bool is_only(struct liege_str s, unsigned class)
{
    return http_all(s.data, s.len, class);
}

/* What an application may see as a field: no name twice, in particular. */
static bool is_good_field(const struct liege_request *req, size_t i)
{
    const struct liege_field *f = &req->fields[i];

    for (size_t k = 0; k < i; k++)
        if (http_equal_nocase(f->name, req->fields[k].name))
            return false;
    return f->name.len > 0 && is_only(f->name, HTTP_CLASS_TOKEN) &&
           !memchr(f->name.data, '_', f->name.len) && http_is_value(f->value.data, f->value.len);
}

static bool is_good_request(const struct liege_request *req)
{
    for (size_t i = 0; i < req->n_fields; i++)
        if (!is_good_field(req, i))
            return false;
    return is_only(req->method, HTTP_CLASS_TOKEN) && is_only(req->target, HTTP_CLASS_TARGET) &&
           is_only(req->query, HTTP_CLASS_TARGET) && req->path.len > 0 &&
           !memchr(req->path.data, '\0', req->path.len);
}

static void fill(const char *text, size_t len, const struct proto_limits *limits)
{
    struct h1 *h = malloc(sizeof(*h));
    struct arena arena = {0};
    struct liege_request req = {0};

    assert(h);
    h1_reset(h, limits, &arena);
    enum proto_state state = h1_parse_head(h, text, len);
    if (state == PROTO_HEAD_DONE || state == PROTO_COMPLETE) {
        (void)h1_fill_request(h, text, &req);
        assert(is_good_request(&req));
    }
    arena_done(&arena);
    free(h);
}

static bool is_same(const struct feed_result *a, const struct feed_result *b)
{
    if (a->state != b->state || a->status != b->status || a->head_len != b->head_len)
        return false;
    if (a->state == PROTO_REFUSED)
        return true;
    return a->used == b->used && a->body_len == b->body_len &&
           memcmp(a->body, b->body, a->body_len) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct feed_result whole, steps;

    if (size < 1 || size > MAX_BYTES)
        return 0;
    const char *text = (const char *)data + 1;
    const struct proto_limits *limits = data[0] & 1 ? &small_limits : &feed_limits;
    size_t len = size - 1, step = data[0] >> 1 ? data[0] >> 1 : 1;

    feed(text, len, FEED_WHOLE, limits, &whole);
    feed(text, len, step, limits, &steps);
    assert(is_same(&whole, &steps));
    fill(text, len, limits);
    return 0;
}
