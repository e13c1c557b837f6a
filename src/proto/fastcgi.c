/* SPDX-License-Identifier: MIT */
/* Reads FastCGI records. In the head they are awaited whole; the pairs in PARAMS are read when all
 * of it is here, where it stands if it is in one record. In the body, which may be endless, records
 * are followed byte by byte and STDIN is handed on. judge_record() decides by the head of a record
 * alone what becomes of it, the same in both. What a web server may send beside the request is
 * bounded: 8 records that want an answer, 64 KiB that are ignored. Called by the worker for
 * fastcgi-socket. */
#include "proto/fastcgi.h"

#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "http/text.h"

#define ROLE_RESPONDER  1
#define FLAG_KEEP_CONN  1
#define BEGIN_LEN       8 /* bytes of content */
#define MAX_ASIDE_BYTES (64 * 1024)
#define MPXS_CONNS      "FCGI_MPXS_CONNS" /* "does it multiplex connections?" */

enum fastcgi_phase {
    PHASE_BEGIN,
    PHASE_PARAMS,
    PHASE_STDIN,
    PHASE_DONE,
};

enum fastcgi_use {
    USE_NONE, /* refused, or ignored */
    USE_BEGIN,
    USE_PARAMS,
    USE_STDIN,
    USE_ABORT,
    USE_QUERY,      /* GET_VALUES */
    USE_UNKNOWN,    /* a type that is not known */
    USE_SECOND_ONE, /* BEGIN_REQUEST while another request is open */
};

/* Without a request there is nobody to answer. */
static enum proto_state refuse(struct fastcgi *f, int status, const char *reason)
{
    f->phase = PHASE_DONE;
    return facts_refuse(&f->facts, f->id > 0 ? status : 0, reason);
}

static bool refused(struct fastcgi *f, int status, const char *reason)
{
    (void)refuse(f, status, reason);
    return false;
}

void fastcgi_reset(struct fastcgi *f, const struct proto_limits *limits, struct arena *arena)
{
    memset(f, 0, sizeof(*f));
    cgi_reset(&f->cgi, limits, arena);
}

/* Replies */

/* Room for a record with @len bytes of content, whose head is written. */
static char *add_reply(struct fastcgi *f, enum fastcgi_type type, uint16_t id, size_t len)
{
    char *at = f->replies + f->replies_len;

    assert(FASTCGI_HEAD_LEN + len <= FASTCGI_REPLY_MAX && f->n_replies < FASTCGI_MAX_REPLIES);
    memset(at, 0, FASTCGI_HEAD_LEN + len);
    fastcgi_put_head(at, type, id, len);
    f->replies_len = (uint16_t)(f->replies_len + FASTCGI_HEAD_LEN + len);
    f->n_replies++;
    f->facts.has_replies = true;
    return at + FASTCGI_HEAD_LEN;
}

static void reply_end(struct fastcgi *f, uint16_t id, enum fastcgi_end end)
{
    char *content = add_reply(f, FASTCGI_END_REQUEST, id, FASTCGI_END_LEN - FASTCGI_HEAD_LEN);

    fastcgi_put_end(content - FASTCGI_HEAD_LEN, id, end);
}

static void reply_unknown_type(struct fastcgi *f, uint8_t type)
{
    *add_reply(f, FASTCGI_UNKNOWN_TYPE, 0, 8) = (char)type;
}

size_t fastcgi_take_replies(struct fastcgi *f, const char **ret_data)
{
    size_t len = (size_t)f->replies_len - f->replies_taken;

    *ret_data = f->replies + f->replies_taken;
    f->replies_taken = f->replies_len;
    f->facts.has_replies = false;
    return len;
}

/* Pairs */

/* Takes a length of 1 or 4 bytes (section 3.4) off the front of what is between @at and @end. */
static bool next_length(const char *base, uint32_t *at, uint32_t end, uint32_t *ret)
{
    const unsigned char *p = (const unsigned char *)base + *at;

    if (end - *at < 1)
        return false;
    if (p[0] < 0x80) {
        *ret = p[0];
        *at += 1;
        return true;
    }
    if (end - *at < 4)
        return false;
    *ret = (uint32_t)(p[0] & 0x7f) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    *at += 4;
    return true;
}

static bool next_pair(const char *base, uint32_t *at, uint32_t end, struct cgi_var *ret)
{
    if (!next_length(base, at, end, &ret->name_len) || !next_length(base, at, end, &ret->value_len))
        return false;
    if (ret->name_len > end - *at || ret->value_len > end - *at - ret->name_len)
        return false;
    ret->name = *at;
    ret->value = *at + ret->name_len;
    *at = ret->value + ret->value_len;
    return true;
}

/* GET_VALUES (section 4.1): what is not known is left out. How many connections and requests there
 * may be has no fixed number here. */
static bool answer_query(struct fastcgi *f, const char *content, uint32_t len)
{
    static const size_t name_len = sizeof(MPXS_CONNS) - 1;
    bool asked = false;

    for (uint32_t at = 0; at < len;) {
        struct cgi_var v = {0};
        if (!next_pair(content, &at, len, &v))
            return refused(f, 400, "fastcgi: a pair is longer than its record");
        asked |= v.name_len == name_len && memcmp(content + v.name, MPXS_CONNS, name_len) == 0;
    }
    char *pair = add_reply(f, FASTCGI_GET_VALUES_RESULT, 0, asked ? 2 + name_len + 1 : 0);
    if (asked) {
        *pair++ = (char)name_len;
        *pair++ = 1;
        pair = mempcpy(pair, MPXS_CONNS, name_len);
        *pair = '0';
    }
    return true;
}

/* Records */

static struct fastcgi_record read_record(const char head[FASTCGI_HEAD_LEN])
{
    const unsigned char *p = (const unsigned char *)head;

    return (struct fastcgi_record){
        .type = p[1],
        .id = (uint16_t)(p[2] << 8 | p[3]),
        .len = (uint16_t)(p[4] << 8 | p[5]),
        .padding = p[6],
    };
}

/* A record that wants an answer of its own. */
static enum fastcgi_use judge_aside(struct fastcgi *f, const struct fastcgi_record *r,
                                    enum fastcgi_use use)
{
    if (f->n_replies == FASTCGI_MAX_REPLIES)
        (void)refuse(f, 400, "fastcgi: too many records beside the request");
    else if (use == USE_QUERY && r->len > FASTCGI_MAX_QUERY)
        (void)refuse(f, 400, "fastcgi: GET_VALUES asks for too much");
    return use;
}

static enum fastcgi_use judge_begin(struct fastcgi *f, const struct fastcgi_record *r)
{
    if (r->len != BEGIN_LEN)
        (void)refuse(f, 400, "fastcgi: malformed BEGIN_REQUEST");
    else if (f->id > 0 && r->id == f->id)
        (void)refuse(f, 400, "fastcgi: BEGIN_REQUEST for the request that is open");
    else if (f->id > 0)
        return judge_aside(f, r, USE_SECOND_ONE);
    return USE_BEGIN;
}

static enum fastcgi_use judge_stdin(struct fastcgi *f, const struct fastcgi_record *r)
{
    const struct proto_facts *facts = &f->facts;
    uint64_t max = f->cgi.limits->max_body_bytes;

    if (f->phase != PHASE_STDIN)
        (void)refuse(f, 400, "fastcgi: STDIN before the end of PARAMS");
    else if (!facts->length_unknown && r->len > facts->content_length - facts->body_bytes)
        (void)refuse(f, 400, "fastcgi: more STDIN than CONTENT_LENGTH says");
    else if (max > 0 && r->len > max - facts->body_bytes)
        (void)refuse(f, 413, "the request body is over the limit (limit-post)");
    return USE_STDIN;
}

/* A record of the open request. */
static enum fastcgi_use judge_own(struct fastcgi *f, const struct fastcgi_record *r)
{
    switch (r->type) {
    case FASTCGI_ABORT_REQUEST:
        return judge_aside(f, r, USE_ABORT);
    case FASTCGI_PARAMS:
        if (f->phase != PHASE_PARAMS)
            (void)refuse(f, 400, "fastcgi: PARAMS after their end");
        return USE_PARAMS;
    case FASTCGI_STDIN:
        return judge_stdin(f, r);
    default:
        (void)refuse(f, 400, "fastcgi: a record that no web server sends to a responder");
        return USE_NONE;
    }
}

/* Decides by its head what becomes of a record. False: the request is refused. */
static bool judge_record(struct fastcgi *f, const char head[FASTCGI_HEAD_LEN])
{
    struct fastcgi_record r = f->record = read_record(head);

    f->use = USE_NONE;
    if (head[0] != FASTCGI_VERSION)
        return refused(f, 400, "fastcgi: not version 1");
    if (r.id == 0 && r.type == FASTCGI_GET_VALUES)
        f->use = judge_aside(f, &r, USE_QUERY);
    else if (r.id == 0 || r.type == 0 || r.type > FASTCGI_UNKNOWN_TYPE)
        f->use = judge_aside(f, &r, USE_UNKNOWN);
    else if (r.type == FASTCGI_BEGIN_REQUEST)
        f->use = judge_begin(f, &r);
    else if (f->id > 0 && r.id == f->id)
        f->use = judge_own(f, &r);
    return f->phase != PHASE_DONE;
}

static bool begin(struct fastcgi *f, const char *content)
{
    const unsigned char *p = (const unsigned char *)content;

    if (p[0] != 0 || p[1] != ROLE_RESPONDER) {
        if (f->n_replies < FASTCGI_MAX_REPLIES)
            reply_end(f, f->record.id, FASTCGI_UNKNOWN_ROLE);
        return refused(f, 0, "fastcgi: a role other than that of a responder");
    }
    f->id = f->record.id;
    f->facts.keep_alive = p[2] & FLAG_KEEP_CONN;
    f->phase = PHASE_PARAMS;
    return true;
}

/* All STDIN is here. */
static bool end_body(struct fastcgi *f)
{
    struct proto_facts *facts = &f->facts;

    if (facts->length_unknown)
        facts->has_body = facts->body_bytes > 0;
    else if (facts->body_bytes < facts->content_length)
        return refused(f, 400, "fastcgi: less STDIN than CONTENT_LENGTH says");
    f->phase = PHASE_DONE;
    return true;
}

/* A record is here up to its padding; @content: all of it, but not of PARAMS and STDIN. */
static bool take_record(struct fastcgi *f, const char *content)
{
    const struct fastcgi_record *r = &f->record;

    switch ((enum fastcgi_use)f->use) {
    case USE_BEGIN:
        return begin(f, content);
    case USE_STDIN:
        return r->len > 0 || end_body(f);
    case USE_ABORT:
        reply_end(f, f->id, FASTCGI_REQUEST_COMPLETE);
        return refused(f, 0, "fastcgi: the web server took the request back");
    case USE_QUERY:
        return answer_query(f, content, r->len);
    case USE_UNKNOWN:
        reply_unknown_type(f, r->type);
        return true;
    case USE_SECOND_ONE:
        reply_end(f, r->id, FASTCGI_CANT_MPX_CONN);
        return true;
    case USE_PARAMS:
    case USE_NONE:
        break;
    }
    return true;
}

/* The head */

/* Puts the pieces of PARAMS together: a pair may be cut anywhere. */
static void join_params(struct fastcgi *f, const char *base)
{
    char *joined = arena_alloc(f->cgi.arena, f->params_len), *end = joined;

    for (uint32_t at = 0; at < f->fed;) {
        struct fastcgi_record r = read_record(base + at);
        at += FASTCGI_HEAD_LEN;
        if (r.type == FASTCGI_PARAMS && r.id == f->id && at >= f->params && r.len > 0)
            end = mempcpy(end, base + at, r.len);
        at += (uint32_t)r.len + r.padding;
    }
    assert((size_t)(end - joined) == f->params_len);
    f->joined = joined;
    f->params = 0;
}

static enum proto_state end_params(struct fastcgi *f, const char *base)
{
    struct proto_facts *facts = &f->facts;

    if (f->n_params > 1)
        join_params(f, base);
    const char *from = f->joined ? f->joined : base;
    for (uint32_t at = f->params, end = f->params + f->params_len; at < end;) {
        struct cgi_var v = {0};
        if (!next_pair(from, &at, end, &v))
            return refuse(f, 400, "fastcgi: a variable is longer than PARAMS");
        if (!cgi_add(&f->cgi, facts, from, &v))
            return PROTO_REFUSED;
    }
    if (!cgi_check(&f->cgi, facts, from))
        return PROTO_REFUSED;
    facts->head_len = f->fed;
    facts->length_unknown = !facts->has_body;
    f->phase = PHASE_STDIN;
    return PROTO_HEAD_DONE;
}

static void note_params(struct fastcgi *f, uint32_t content)
{
    if (f->n_params++ == 0)
        f->params = content;
    f->params_len += f->record.len;
}

enum proto_state fastcgi_parse_head(struct fastcgi *f, const char *base, size_t len)
{
    size_t max = f->cgi.limits->max_head_bytes;

    while (f->fed + FASTCGI_HEAD_LEN <= len) {
        uint32_t content = f->fed + FASTCGI_HEAD_LEN;
        if (!judge_record(f, base + f->fed))
            return PROTO_REFUSED;
        size_t end = (size_t)content + f->record.len + f->record.padding;
        if (end > max)
            return refuse(f, 431, "the variables are over the limit (buffer-size)");
        if (end > len)
            return PROTO_MORE;
        if (!take_record(f, base + content))
            return PROTO_REFUSED;
        f->fed = (uint32_t)end;
        if (f->use == USE_PARAMS && f->record.len == 0)
            return end_params(f, base);
        if (f->use == USE_PARAMS)
            note_params(f, content);
    }
    return PROTO_MORE;
}

/* The body */

static enum proto_state start_record(struct fastcgi *f)
{
    if (!judge_record(f, f->head))
        return PROTO_REFUSED;
    f->left = f->record.len;
    f->padding_left = f->record.padding;
    if (f->use != USE_STDIN)
        f->aside_bytes += FASTCGI_HEAD_LEN + f->left + f->padding_left;
    if (f->aside_bytes > MAX_ASIDE_BYTES)
        return refuse(f, 400, "fastcgi: too many records beside the request");
    return f->left > 0 || take_record(f, f->content) ? PROTO_MORE : PROTO_REFUSED;
}

static enum proto_state take_content(struct fastcgi *f, const char *data, uint32_t len,
                                     struct http_body *sink)
{
    if (f->use == USE_STDIN && !facts_store(&f->facts, data, len, sink))
        return PROTO_REFUSED;
    if (f->use == USE_QUERY)
        memcpy(f->content + (f->record.len - f->left), data, len);
    f->left -= len;
    return f->left > 0 || take_record(f, f->content) ? PROTO_MORE : PROTO_REFUSED;
}

/* Takes the next part of a record, or what is here of it: its head, its content or its padding. */
static enum proto_state take_part(struct fastcgi *f, const char *data, size_t len,
                                  struct http_body *sink, size_t *ret_used)
{
    enum proto_state state = PROTO_MORE;

    if (f->head_len < FASTCGI_HEAD_LEN) {
        *ret_used = MIN(len, (size_t)FASTCGI_HEAD_LEN - f->head_len);
        memcpy(f->head + f->head_len, data, *ret_used);
        f->head_len = (uint8_t)(f->head_len + *ret_used);
        if (f->head_len == FASTCGI_HEAD_LEN)
            state = start_record(f);
    } else if (f->left > 0) {
        *ret_used = MIN(len, (size_t)f->left);
        state = take_content(f, data, (uint32_t)*ret_used, sink);
    } else {
        *ret_used = MIN(len, (size_t)f->padding_left);
        f->padding_left -= (uint32_t)*ret_used;
    }
    return state;
}

enum proto_state fastcgi_parse_body(struct fastcgi *f, const char *data, size_t len,
                                    struct http_body *sink, size_t *ret_used)
{
    *ret_used = 0;
    while (*ret_used < len) {
        size_t n = 0;
        enum proto_state state = take_part(f, data + *ret_used, len - *ret_used, sink, &n);
        *ret_used += n;
        if (state == PROTO_REFUSED)
            return PROTO_REFUSED;
        if (f->head_len < FASTCGI_HEAD_LEN || f->left > 0 || f->padding_left > 0)
            continue;
        f->head_len = 0;
        if (f->phase == PHASE_DONE)
            return PROTO_COMPLETE;
    }
    return PROTO_MORE;
}

size_t fastcgi_fill_request(struct fastcgi *f, const char *base, struct liege_request *req)
{
    return cgi_fill(&f->cgi, &f->facts, f->joined ? f->joined : base, req);
}
