/* SPDX-License-Identifier: MIT */
/* Reads uwsgi packets. The first byte decides whether it is a request at all, the next two how long
 * the variables are: nothing is looked at before all of them are here. Called by the worker for
 * uwsgi-socket. */
#include "proto/uwsgi.h"

#include <string.h>

#define PACKET_HEAD_LEN 4

enum modifier {
    MODIFIER_WSGI = 0,
    MODIFIER_PSGI = 5,
};

static uint32_t read_u16(const char *p)
{
    return (uint32_t)(unsigned char)p[0] | (uint32_t)(unsigned char)p[1] << 8;
}

void uwsgi_reset(struct uwsgi *u, const struct proto_limits *limits, struct arena *arena)
{
    u->facts = (struct proto_facts){0};
    cgi_reset(&u->cgi, limits, arena);
}

/* Takes a string of 2 bytes of length and the rest off the front of what is between @at and @end.
 */
static bool next_string(const char *base, uint32_t *at, uint32_t end, uint32_t *ret,
                        uint32_t *ret_len)
{
    if (end - *at < 2)
        return false;
    *ret_len = read_u16(base + *at);
    *ret = *at + 2;
    if (end - *ret < *ret_len)
        return false;
    *at = *ret + *ret_len;
    return true;
}

static bool read_vars(struct uwsgi *u, const char *base)
{
    uint32_t at = PACKET_HEAD_LEN, end = (uint32_t)u->facts.head_len;

    while (at < end) {
        struct cgi_var v = {0};
        if (!next_string(base, &at, end, &v.name, &v.name_len) ||
            !next_string(base, &at, end, &v.value, &v.value_len)) {
            (void)facts_refuse(&u->facts, 400, "uwsgi: a variable is longer than its packet");
            return false;
        }
        if (!cgi_add(&u->cgi, &u->facts, base, &v))
            return false;
    }
    return true;
}

enum proto_state uwsgi_parse_head(struct uwsgi *u, const char *base, size_t len)
{
    struct proto_facts *f = &u->facts;

    if (len == 0)
        return PROTO_MORE;
    if (*base != MODIFIER_WSGI && *base != MODIFIER_PSGI)
        return facts_refuse(f, 501, "uwsgi: modifier1 is neither 0 (WSGI) nor 5 (PSGI)");
    if (len < PACKET_HEAD_LEN)
        return PROTO_MORE;
    f->head_len = PACKET_HEAD_LEN + read_u16(base + 1);
    if (f->head_len > u->cgi.limits->max_head_bytes)
        return facts_refuse(f, 431, "the variables are over the limit (buffer-size)");
    if (len < f->head_len)
        return PROTO_MORE;
    if (!read_vars(u, base) || !cgi_check(&u->cgi, f, base))
        return PROTO_REFUSED;
    if (!f->has_body && u->cgi.has[CGI_HTTP_TRANSFER_ENCODING])
        return facts_refuse(f, 411,
                            "uwsgi: a body without CONTENT_LENGTH: let the web server "
                            "buffer requests");
    return f->content_length > 0 ? PROTO_HEAD_DONE : PROTO_COMPLETE;
}

enum proto_state uwsgi_parse_body(struct uwsgi *u, const char *data, size_t len,
                                  struct http_body *sink, size_t *ret_used)
{
    return facts_count_body(&u->facts, data, len, sink, ret_used);
}

size_t uwsgi_fill_request(struct uwsgi *u, const char *base, struct liege_request *req)
{
    return cgi_fill(&u->cgi, &u->facts, base, req);
}
