/* SPDX-License-Identifier: MIT */
/* Reads the body of a request. A body of known length is counted; chunks are llhttp's, up to the
 * last one. What llhttp would accept without end (a size line may be as long as its sender likes:
 * zeros, extensions) is bounded here: what a size line has beyond LINE_BYTES is taken from an
 * allowance for the whole body. The trailer section is read here, line by line, because llhttp
 * takes folded lines and a lone LF in it; its fields are checked and thrown away, none reaches an
 * application. */
#include <string.h>

#include "http/text.h"
#include "proto/h1-internal.h"

#define LINE_BYTES 20         /* CRLF of the chunk before, 16 digits, CRLF */
#define MAX_EXCESS (4 * 1024) /* extensions and zeros of a whole body */

enum trailer_state {
    TRAILER_START, /* of a line */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF, /* of a line */
    TRAILER_END_LF,
};

static struct h1 *h1_of(llhttp_t *parser)
{
    return container_of(parser, struct h1, parser);
}

static uint32_t excess(uint32_t line_bytes)
{
    return line_bytes > LINE_BYTES ? line_bytes - LINE_BYTES : 0;
}

/* Counts the framing that ends at @at; false if there is too much of it. */
static bool count_framing(struct h1 *h, const char *at)
{
    h->line_bytes += (uint32_t)(at - h->framing);
    h->framing = at;
    if (h->excess_bytes + excess(h->line_bytes) <= MAX_EXCESS)
        return true;
    (void)h1_refuse(h, 400, "more than 4 KiB of chunk extensions");
    return false;
}

static int on_chunk_header(llhttp_t *parser)
{
    struct h1 *h = h1_of(parser);
    uint64_t max = h->limits->max_body_bytes;

    if (parser->content_length == 0)
        return HPE_PAUSED; /* the last one: trailers follow */
    if (max > 0 && parser->content_length > max - h->facts.body_bytes) {
        (void)h1_refuse(h, 413, "the request body is over the limit (limit-post)");
        return -1;
    }
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct h1 *h = h1_of(parser);

    if (!count_framing(h, at))
        return -1;
    h->excess_bytes += excess(h->line_bytes);
    h->line_bytes = 0;
    h->framing = at + len;
    return facts_store(&h->facts, at, len, h->sink) ? 0 : -1;
}

static const llhttp_settings_t chunk_settings = {
    .on_chunk_header = on_chunk_header,
    .on_body = on_body,
};

enum proto_state h1_start_body(struct h1 *h)
{
    if (h->facts.length_unknown) {
        h->parser.settings = (void *)&chunk_settings;
        llhttp_resume(&h->parser);
        h->phase = H1_PHASE_CHUNKS;
        return PROTO_HEAD_DONE;
    }
    if (h->facts.content_length > 0) {
        h->phase = H1_PHASE_COUNTED;
        return PROTO_HEAD_DONE;
    }
    h->phase = H1_PHASE_DONE;
    return PROTO_COMPLETE;
}

static enum proto_state parse_counted(struct h1 *h, const char *data, size_t len, size_t *ret_used)
{
    enum proto_state state = facts_count_body(&h->facts, data, len, h->sink, ret_used);

    if (state != PROTO_MORE)
        h->phase = H1_PHASE_DONE;
    return state;
}

static enum proto_state parse_chunks(struct h1 *h, const char *data, size_t len, size_t *ret_used)
{
    h->framing = data;
    llhttp_errno_t error = llhttp_execute(&h->parser, data, len);

    *ret_used = len;
    if (error == HPE_PAUSED)
        *ret_used = (size_t)(llhttp_get_error_pos(&h->parser) - data);
    else if (h->facts.status > 0)
        return PROTO_REFUSED; /* by a callback */
    else if (error != HPE_OK)
        return h1_refuse(h, 400, llhttp_get_error_reason(&h->parser));

    if (!count_framing(h, data + *ret_used))
        return PROTO_REFUSED;
    if (error == HPE_PAUSED)
        h->phase = H1_PHASE_TRAILERS;
    return PROTO_MORE;
}

/* Fields that would change how the request is read or who sent it (RFC 9110 section 6.5.1). */
static bool is_forbidden_trailer(const struct h1 *h)
{
    static const char *const forbidden[] = {
        "host", "content-length", "transfer-encoding", "connection", "trailer",
        "te",   "authorization",  "content-type",
    };

    for (size_t i = 0; i < COUNT_OF(forbidden); i++)
        if (http_equal(http_str(h->name, h->name_len), forbidden[i]))
            return true;
    return false;
}

static bool trailer_name_byte(struct h1 *h, char c)
{
    if (c == ':') {
        h->trailer_state = TRAILER_VALUE;
        return h->name_len > 0 && !is_forbidden_trailer(h);
    }
    if (h->name_len < sizeof(h->name))
        h->name[h->name_len++] = c;
    h->trailer_state = TRAILER_NAME;
    return http_is(c, HTTP_CLASS_TOKEN);
}

/* One byte of the trailer section; false if it must not stand there. */
static bool trailer_byte(struct h1 *h, char c)
{
    switch ((enum trailer_state)h->trailer_state) {
    case TRAILER_START:
        h->name_len = 0;
        if (c != '\r')
            return trailer_name_byte(h, c);
        h->trailer_state = TRAILER_END_LF;
        return true;
    case TRAILER_NAME:
        return trailer_name_byte(h, c);
    case TRAILER_VALUE:
        if (c != '\r')
            return http_is_value(&c, 1);
        h->trailer_state = TRAILER_LF;
        return true;
    case TRAILER_LF:
        h->trailer_state = TRAILER_START;
        return c == '\n';
    case TRAILER_END_LF:
        h->phase = H1_PHASE_DONE;
        return c == '\n';
    }
    return false;
}

static enum proto_state parse_trailers(struct h1 *h, const char *data, size_t len, size_t *ret_used)
{
    for (size_t i = 0; i < len; i++) {
        if (!trailer_byte(h, data[i]))
            return h1_refuse(h, 400, "malformed or forbidden trailer field");
        if (h->phase == H1_PHASE_DONE) {
            *ret_used = i + 1;
            return PROTO_COMPLETE;
        }
        if (++h->trailer_bytes > h->limits->max_field_bytes)
            return h1_refuse(h, 431, "the trailers are over the limit (limit-request-field-size)");
    }
    *ret_used = len;
    return PROTO_MORE;
}

enum proto_state h1_parse_body(struct h1 *h, const char *data, size_t len, struct http_body *sink,
                               size_t *ret_used)
{
    enum proto_state state = PROTO_MORE;
    size_t used = 0, n = 0;

    h->sink = sink;
    if (h->phase == H1_PHASE_COUNTED)
        state = parse_counted(h, data, len, &used);
    else if (h->phase == H1_PHASE_CHUNKS && len > 0)
        state = parse_chunks(h, data, len, &used);
    if (h->phase == H1_PHASE_TRAILERS) {
        state = parse_trailers(h, data + used, len - used, &n);
        used += n;
    }
    *ret_used = used;
    return state;
}
