/* SPDX-License-Identifier: MIT */
/* Any bytes as a connection of the protocol FUZZ_PROTO. The first byte chooses how they are cut;
 * what comes out must not depend on it. Of an accepted request, the parts are checked for what no
 * application should ever see. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/macro.h"
#include "http/text.h"
#include "proto-feed.h"

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

/* Vars that would choose code, or take the place of what the server says. */
static bool is_good_var(const struct liege_var *v)
{
    static const char *const bad[] = {"UWSGI_FILE", "UWSGI_MODULE",   "UWSGI_SCRIPT",
                                      "HTTP_PROXY", "CONTENT_LENGTH", "HTTP_HOST",
                                      "PATH_INFO",  "wsgi.input"};

    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (v->name.len == strlen(bad[i]) && memcmp(v->name.data, bad[i], v->name.len) == 0)
            return false;
    return v->name.len > 0 && !memchr(v->name.data, '\0', v->name.len) &&
           (v->value.len == 0 || !memchr(v->value.data, '\0', v->value.len));
}

static bool is_path(struct liege_str s)
{
    return s.len == 0 ||
           ((*s.data == '/' || (s.len == 1 && *s.data == '*')) && !memchr(s.data, '\0', s.len));
}

static bool is_good_request(const struct liege_request *req)
{
    for (size_t i = 0; i < req->n_fields; i++)
        if (!is_good_field(req, i))
            return false;
    for (size_t i = 0; i < req->n_vars; i++)
        if (!is_good_var(&req->vars[i]))
            return false;
    return req->method.len > 0 && is_only(req->method, HTTP_CLASS_TOKEN) && req->target.len > 0 &&
           is_only(req->target, HTTP_CLASS_TARGET) && is_only(req->query, HTTP_CLASS_TARGET) &&
           is_path(req->script_name) && is_path(req->path) &&
           req->path.len + req->script_name.len > 0;
}

static void fill(const char *text, size_t len, const struct proto_limits *limits)
{
    struct proto *p = malloc(sizeof(*p));
    struct arena arena = {0};
    struct liege_request req = {0};

    assert(p);
    proto_init(p, FUZZ_PROTO);
    proto_reset(p, limits, &arena);
    enum proto_state state = proto_parse_head(p, text, len);
    if (state == PROTO_HEAD_DONE || state == PROTO_COMPLETE) {
        assert(p->facts.head_len <= len && p->facts.head_len <= limits->max_head_bytes);
        (void)proto_fill_request(p, text, &req);
        assert(is_good_request(&req));
    }
    arena_done(&arena);
    free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct feed_result whole, steps;

    if (size < 1 || size > MAX_BYTES)
        return 0;
    const char *text = (const char *)data + 1;
    const struct proto_limits *limits = data[0] & 1 ? &small_limits : &feed_limits;
    size_t len = size - 1, step = data[0] >> 1 ? data[0] >> 1 : 1;

    feed(FUZZ_PROTO, text, len, FEED_WHOLE, limits, &whole);
    feed(FUZZ_PROTO, text, len, step, limits, &steps);
    assert(feed_is_same(&whole, &steps));
    fill(text, len, limits);
    return 0;
}
