/* SPDX-License-Identifier: MIT */
/* Feeds the bytes of a request's head to llhttp and notes where target and field names are. llhttp
 * decides what is syntax; only the callbacks that are needed are set, because they are most of its
 * cost: method, version and values are found between the names when the head is complete. Offsets
 * are kept, not pointers, so the bytes may move while the rest is awaited. Whatever is refused is
 * refused at the same byte however the bytes were cut. Called by the worker and by the router. */
#include "proto/h1.h"

#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "http/text.h"
#include "proto/h1-internal.h"

#define MAX_EMPTY_LINES 4
#define MAX_HEAD_BYTES  (1U << 24) /* h1_field.name_len */

static struct h1 *h1_of(llhttp_t *parser)
{
    return container_of(parser, struct h1, parser);
}

static int on_url(llhttp_t *parser, const char *at, size_t len)
{
    struct h1 *h = h1_of(parser);
    uint32_t offset = (uint32_t)(at - h->base);

    if (h->target == 0)
        h->target = offset;
    h->target_end = offset + (uint32_t)len;
    return 0;
}

/* Where field number @i is kept; NULL when it is over the limit. */
static struct h1_field *field_slot(struct h1 *h, size_t i)
{
    if (i >= h->limits->max_fields)
        return NULL;
    if (i == H1_FIELDS_INLINE && !h->more) {
        h->more = arena_alloc(h->arena, h->limits->max_fields * sizeof(*h->more));
        memcpy(h->more, h->fields, sizeof(h->fields));
    }
    return &h1_fields(h)[i];
}

/* A name may come in pieces, cut where the bytes were cut. Two names never touch. */
static int on_header_field(llhttp_t *parser, const char *at, size_t len)
{
    struct h1 *h = h1_of(parser);
    uint32_t offset = (uint32_t)(at - h->base);
    bool goes_on = h->n_fields > 0 && offset == h->name_end;

    h->name_end = offset + (uint32_t)len;
    if (!goes_on)
        h->n_fields++;
    struct h1_field *f = field_slot(h, h->n_fields - 1);
    if (!f)
        return 0;
    if (goes_on) {
        f->name_len = (h->name_end - f->name) & (MAX_HEAD_BYTES - 1);
    } else {
        f->name = offset;
        f->name_len = (uint32_t)len & (MAX_HEAD_BYTES - 1);
    }
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED;
}

static const llhttp_settings_t head_settings = {
    .on_url = on_url,
    .on_header_field = on_header_field,
    .on_headers_complete = on_headers_complete,
};

void h1_reset(struct h1 *h, const struct proto_limits *limits, struct arena *arena)
{
    assert(limits->max_head_bytes < MAX_HEAD_BYTES);
    memset(h, 0, offsetof(struct h1, fields));
    h->limits = limits;
    h->arena = arena;
    llhttp_init(&h->parser, HTTP_REQUEST, &head_settings);
}

/* Steps over empty lines before the request line (RFC 9112 section 2.2): a few, and whole ones. */
static enum proto_state skip_empty_lines(struct h1 *h, const char *base, size_t len)
{
    while (h->fed < len && (base[h->fed] == '\r' || base[h->fed] == '\n')) {
        if (base[h->fed] == '\r' && len - h->fed < 2)
            return PROTO_MORE;
        if (base[h->fed] == '\n' || base[h->fed + 1] != '\n')
            return h1_refuse(h, 400, "bare CR or LF before the request line");
        h->fed += 2;
        h->start = h->fed;
        if (h->start > 2 * MAX_EMPTY_LINES)
            return h1_refuse(h, 400, "too many empty lines before the request line");
    }
    if (h->fed < len)
        h->phase = H1_PHASE_HEAD;
    return PROTO_MORE;
}

/* The bytes up to @at do not begin with a method that llhttp knows. */
static enum proto_state refuse_method(struct h1 *h, const char *line, const char *at)
{
    if (at == line && *at == 0x16)
        return h1_refuse(h, 400, "TLS handshake on a plain HTTP socket");
    if (at - line == 3 && memcmp(line, "PROX", 4) == 0)
        return h1_refuse(h, 400, "PROXY protocol line on a plain HTTP socket");
    if (!http_is(*at, HTTP_CLASS_TOKEN))
        return h1_refuse(h, 400, "malformed request line");
    return h1_refuse(h, 501, "unknown method");
}

/* llhttp stopped at @at in the version, which follows the target. */
static enum proto_state refuse_version(struct h1 *h, const char *version, const char *at)
{
    static const char form[] = " HTTP/d.d";

    if (at - version < (ptrdiff_t)sizeof(form) - 1)
        return h1_refuse(h, 400, "malformed HTTP version");
    if (memcmp(version, " HTTP/1.", 8) == 0 && (version[8] == '0' || version[8] == '1'))
        return h1_refuse(h, 400, "no CRLF after the HTTP version");
    return h1_refuse(h, 505, "HTTP version other than 1.0 and 1.1");
}

static enum proto_state refuse_syntax(struct h1 *h, llhttp_errno_t error)
{
    const char *at = llhttp_get_error_pos(&h->parser);
    const char *version = h->base + h->target_end;

    switch (error) {
    case HPE_INVALID_METHOD:
        return refuse_method(h, h->base + h->start, at);
    case HPE_INVALID_VERSION:
        return refuse_version(h, version, at);
    case HPE_INVALID_CONSTANT:
        if (h->target_end > 0 && at - version >= 6 && memcmp(version, " HTTP/", 6) == 0)
            return h1_refuse(h, 501, "a method that is not one of HTTP");
        return h1_refuse(h, 400, "malformed request line");
    case HPE_PAUSED_H2_UPGRADE:
        return h1_refuse(h, 400, "HTTP/2 without TLS on an HTTP/1 socket");
    default:
        return h1_refuse(h, 400, llhttp_get_error_reason(&h->parser));
    }
}

enum proto_state h1_parse_head(struct h1 *h, const char *base, size_t len)
{
    size_t end = MIN(len, h->limits->max_head_bytes);

    assert(h->phase <= H1_PHASE_HEAD && h->fed <= len);
    if (h->phase == H1_PHASE_EMPTY_LINES) {
        enum proto_state state = skip_empty_lines(h, base, len);
        if (h->phase != H1_PHASE_HEAD)
            return state;
    }
    h->base = base;
    llhttp_errno_t error =
        h->fed < end ? llhttp_execute(&h->parser, base + h->fed, end - h->fed) : HPE_OK;
    if (error == HPE_PAUSED) {
        h->facts.head_len = (size_t)(llhttp_get_error_pos(&h->parser) - base);
        return h1_check_head(h, base);
    }
    if (error != HPE_OK)
        return refuse_syntax(h, error);
    h->fed = (uint32_t)end;
    if (end < h->limits->max_head_bytes)
        return PROTO_MORE;
    if (h->n_fields == 0)
        return h1_refuse(h, 414, "the request line is over the limit (buffer-size)");
    return h1_refuse(h, 431, "the request head is over the limit (buffer-size)");
}
