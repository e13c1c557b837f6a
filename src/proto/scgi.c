/* SPDX-License-Identifier: MIT */
/* Reads SCGI requests. The length in front is read as digits without a zero in front, so that there
 * is one way to write each; then all of the netstring is awaited. Called by the worker for
 * scgi-socket. */
#include "proto/scgi.h"

#include <string.h>

#include "http/text.h"

#define MAX_DIGITS 8 /* of the length; its limit is buffer-size */

void scgi_reset(struct scgi *s, const struct proto_limits *limits, struct arena *arena)
{
    s->facts = (struct proto_facts){0};
    s->start = 0;
    cgi_reset(&s->cgi, limits, arena);
}

/* Reads "70:" and finds where the variables start and the head ends. */
static enum proto_state read_length(struct scgi *s, const char *base, size_t len)
{
    struct proto_facts *f = &s->facts;
    uint32_t n = 0, i = 0;

    for (; i < len && http_is(base[i], HTTP_CLASS_DIGIT); i++) {
        if (i == MAX_DIGITS || (i == 1 && base[0] == '0'))
            return facts_refuse(f, 400, "scgi: malformed length of the netstring");
        n = 10 * n + (uint32_t)(base[i] - '0');
    }
    if (i == len)
        return PROTO_MORE;
    if (i == 0 || base[i] != ':')
        return facts_refuse(f, 400, "scgi: no netstring");
    s->start = i + 1;
    f->head_len = s->start + (size_t)n + 1;
    if (f->head_len > s->cgi.limits->max_head_bytes)
        return facts_refuse(f, 431, "the variables are over the limit (buffer-size)");
    return PROTO_MORE;
}

/* Takes a string with its NUL off the front of what is between @at and @end. */
static bool next_string(const char *base, uint32_t *at, uint32_t end, uint32_t *ret,
                        uint32_t *ret_len)
{
    const char *nul = *at < end ? memchr(base + *at, '\0', end - *at) : NULL;

    if (!nul)
        return false;
    *ret = *at;
    *ret_len = (uint32_t)(nul - (base + *at));
    *at += *ret_len + 1;
    return true;
}

static bool refuse(struct scgi *s, const char *reason)
{
    (void)facts_refuse(&s->facts, 400, reason);
    return false;
}

static bool read_vars(struct scgi *s, const char *base)
{
    uint32_t at = s->start, end = (uint32_t)s->facts.head_len - 1;

    while (at < end) {
        struct cgi_var v = {0};
        bool first = at == s->start;
        if (!next_string(base, &at, end, &v.name, &v.name_len) ||
            !next_string(base, &at, end, &v.value, &v.value_len))
            return refuse(s, "scgi: a variable does not end in its netstring");
        if (!cgi_add(&s->cgi, &s->facts, base, &v))
            return false;
        if (first && !s->cgi.has[CGI_CONTENT_LENGTH])
            return refuse(s, "scgi: CONTENT_LENGTH is not the first variable");
    }
    return true;
}

static bool check(struct scgi *s, const char *base)
{
    struct proto_facts *f = &s->facts;
    struct liege_str version = cgi_value(&s->cgi, CGI_SCGI, base);

    if (version.len != 1 || *version.data != '1')
        return refuse(s, "scgi: the variable SCGI is not \"1\"");
    if (cgi_value(&s->cgi, CGI_CONTENT_LENGTH, base).len == 0)
        return refuse(s, "scgi: CONTENT_LENGTH is empty");
    if (!cgi_check(&s->cgi, f, base))
        return false;
    f->has_body = f->content_length > 0; /* 0 is also said when there is none */
    return true;
}

enum proto_state scgi_parse_head(struct scgi *s, const char *base, size_t len)
{
    struct proto_facts *f = &s->facts;

    if (s->start == 0) {
        enum proto_state state = read_length(s, base, len);
        if (state != PROTO_MORE || s->start == 0)
            return state;
    }
    if (len < f->head_len)
        return PROTO_MORE;
    if (base[f->head_len - 1] != ',')
        return facts_refuse(f, 400, "scgi: no comma after the netstring");
    if (!read_vars(s, base) || !check(s, base))
        return PROTO_REFUSED;
    return f->content_length > 0 ? PROTO_HEAD_DONE : PROTO_COMPLETE;
}

enum proto_state scgi_parse_body(struct scgi *s, const char *data, size_t len,
                                 struct http_body *sink, size_t *ret_used)
{
    return facts_count_body(&s->facts, data, len, sink, ret_used);
}

size_t scgi_fill_request(struct scgi *s, const char *base, struct liege_request *req)
{
    return cgi_fill(&s->cgi, &s->facts, base, req);
}
