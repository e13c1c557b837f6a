/* SPDX-License-Identifier: MIT */
/* Makes a struct liege_request of a head that was accepted: offsets become pointers into the bytes
 * where they are now. It can fail no more: everything that could be wrong was refused before. Only
 * the table of the fields is always taken from the arena; a path is copied when it has escapes, a
 * value when its name comes more than once. */
#include <string.h>

#include "base/arena.h"
#include "http/field.h"
#include "http/text.h"
#include "http/url.h"
#include "proto/h1-internal.h"

static struct liege_str path_of(const struct h1 *h, const char *base)
{
    struct liege_str raw = http_str(base + h->path, h->path_len);

    if (raw.len == 0)
        return http_str("/", 1);
    if (!h->escaped)
        return raw;
    char *path = arena_alloc(h->arena, raw.len);
    return http_str(path, http_path_decode(raw, path));
}

static size_t fill_fields(struct h1 *h, const char *base, struct liege_field *out)
{
    const struct h1_field *fields = h1_fields(h);
    size_t n = h->n_fields;

    for (size_t i = 0; i < n; i++) {
        const struct h1_field *f = &fields[i];
        out[i].name = http_str(base + f->name, f->name_len);
        out[i].value = http_str(base + f->value, f->value_len);
        out[i].id = (enum liege_field_id)f->id;
    }
    if (h->host_len > 0)
        out[n++] = (struct liege_field){
            .name = http_str("host", 4),
            .value = http_str(base + h->host, h->host_len),
            .id = LIEGE_FIELD_HOST,
        };
    return n;
}

size_t h1_fill_request(struct h1 *h, const char *base, struct liege_request *req)
{
    struct liege_field *fields = arena_alloc(h->arena, (h->n_fields + 1) * sizeof(*fields));
    size_t n_dropped = 0, n = fill_fields(h, base, fields);

    req->method = http_str(base + h->start, h->target - h->start - 1);
    req->target = http_str(base + h->target, h->target_end - h->target);
    req->script_name = http_str("", 0);
    req->path = path_of(h, base);
    req->query = http_str(base + h->query, h->query_len);
    req->protocol = http_str(h->facts.minor == 0 ? "HTTP/1.0" : "HTTP/1.1", 8);
    req->n_fields = http_fields_merge(fields, n, h->arena, &n_dropped);
    req->fields = fields;
    req->vars = NULL;
    req->n_vars = 0;
    req->has_body = h->facts.has_body;
    req->body_length = h->facts.length_unknown ? h->facts.body_bytes : h->facts.content_length;
    return n_dropped;
}
