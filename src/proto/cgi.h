/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"
#include "liege/app.h"
#include "proto/facts.h"

struct arena;

/* The variables of a request (RFC 3875 section 4.1), which uwsgi, FastCGI and SCGI bring in three
 * encodings: collected by their parsers with cgi_add(), judged by cgi_check(), made a request by
 * cgi_fill(). A web server is behind them and has decided what the client's address and scheme are,
 * but what they carry is largely the client's: all that h1 would refuse is refused here too.
 *
 * Offsets are those of the bytes that the variables stand in, which may move between the calls. */

/* The variables that mean something here: NAME, what becomes of it (enum cgi_use). What frames the
 * request, and what a client can bring, may come only once. Of the others the last one counts: an
 * operator overrides what an included file of parameters says by saying it again, and nginx then
 * sends both. */
#define CGI_KEYS(X)                                                                                \
    X(REQUEST_METHOD, FACT_ONCE)                                                                   \
    X(REQUEST_URI, FACT_ONCE)                                                                      \
    X(SCRIPT_NAME, FACT)                                                                           \
    X(PATH_INFO, FACT)                                                                             \
    X(QUERY_STRING, FACT)                                                                          \
    X(SERVER_PROTOCOL, FACT)                                                                       \
    X(SERVER_NAME, FACT)                                                                           \
    X(SERVER_PORT, FACT)                                                                           \
    X(REMOTE_ADDR, FACT)                                                                           \
    X(REMOTE_PORT, FACT)                                                                           \
    X(CONTENT_LENGTH, FACT_ONCE)                                                                   \
    X(CONTENT_TYPE, FACT)                                                                          \
    X(HTTPS, FACT)                                                                                 \
    X(REQUEST_SCHEME, FACT_AND_VAR)                                                                \
    X(UWSGI_SCHEME, FACT)                                                                          \
    X(SCGI, FACT_ONCE)                                                                             \
    X(HTTP_HOST, FIELD_ONCE)                                                                       \
    X(HTTP_EXPECT, FIELD_ONCE)                                                                     \
    X(HTTP_CONTENT_LENGTH, FACT_ONCE)    /* the client's; CONTENT_LENGTH counts */                 \
    X(HTTP_CONTENT_TYPE, FACT_ONCE)      /* likewise */                                            \
    X(HTTP_TRANSFER_ENCODING, FACT_ONCE) /* of the way to the web server */

#define CGI_FIELD_PREFIX     "HTTP_" /* of variables that are fields: RFC 3875 section 4.1.18 */
#define CGI_FIELD_PREFIX_LEN 5

enum cgi_key {
    CGI_OTHER,
#define CGI_KEY_ENUM(name, use) CGI_##name,
    CGI_KEYS(CGI_KEY_ENUM)
#undef CGI_KEY_ENUM
        CGI_KEY_COUNT,
};

/* Bits; without FIELD and VAR an application does not see the variable itself. */
enum cgi_use {
    CGI_USE_FACT = 0,       /* a member of liege_request, or nothing */
    CGI_USE_FIELD = 1 << 0, /* one of liege_request.fields */
    CGI_USE_VAR = 1 << 1,   /* one of liege_request.vars */
    CGI_USE_ONCE = 1 << 2,  /* a second one is refused */
    CGI_USE_FACT_ONCE = CGI_USE_FACT | CGI_USE_ONCE,
    CGI_USE_FACT_AND_VAR = CGI_USE_FACT | CGI_USE_VAR,
    CGI_USE_FIELD_ONCE = CGI_USE_FIELD | CGI_USE_ONCE,
};

struct cgi_var {
    uint32_t name, value; /* offsets */
    uint32_t name_len, value_len;
    enum cgi_use use;
};

struct cgi {
    const struct proto_limits *limits;
    struct arena *arena;
    struct cgi_var *vars; /* all that are not dropped; in the arena */
    size_t n_vars, room;
    size_t n_fields, n_others; /* what becomes fields and variables, at most */
    struct cgi_var keys[CGI_KEY_COUNT];
    bool has[CGI_KEY_COUNT];
    bool escaped;            /* the path has a '%' */
    uint32_t path, path_len; /* of the target; not decoded */
    uint32_t query, query_len;
};

/* As a parser's reset(). */
void cgi_reset(struct cgi *c, const struct proto_limits *limits, struct arena *arena);

/* Takes the variable whose name and value stand at the offsets of @v from @base on. False: the
 * request is refused, and @f says why. */
bool cgi_add(struct cgi *c, struct proto_facts *f, const char *base,
             const struct cgi_var *v) _must_check_;

/* Judges what was collected and sets the facts that come from it: is_head, minor, has_body and
 * content_length. False: refused, and @f says why. */
bool cgi_check(struct cgi *c, struct proto_facts *f, const char *base) _must_check_;

/* The value of a variable, empty if it is not there. */
static inline struct liege_str cgi_value(const struct cgi *c, enum cgi_key key, const char *base)
{
    const struct cgi_var *v = &c->keys[key];

    return (struct liege_str){c->has[key] ? base + v->value : "", c->has[key] ? v->value_len : 0};
}

/* Fills all of @req but app, from variables that cgi_check() has accepted. What the web server did
 * not say stays empty (server_name, server_port, remote_addr, remote_port); scheme is "http" then.
 * Returns 0: no field is left out for its name. */
size_t cgi_fill(struct cgi *c, const struct proto_facts *f, const char *base,
                struct liege_request *req);
