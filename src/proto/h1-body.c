/* SPDX-License-Identifier: MIT */
/* Reads the body of a request. A body of known length is counted. Chunks (RFC 9112 section 7.1) are
 * read by a table of states: sizes and extensions to the letter of the grammar, but for the "bad
 * white space" that it lets a recipient take. What would be valid without end (a size line may be
 * as long as its sender likes: zeros, extensions) is bounded: what a size line has beyond
 * LINE_BYTES is taken from an allowance for the whole body. The fields of the trailer section are
 * checked and thrown away, none reaches an application. */
#include <string.h>

#include "http/text.h"
#include "proto/h1-internal.h"

#define LINE_BYTES 20         /* CRLF of the chunk before, 16 digits, CRLF */
#define MAX_EXCESS (4 * 1024) /* extensions and zeros of a whole body */

enum chunk_state {
    CHUNK_REFUSED, /* not a state: the byte must not stand there */
    CHUNK_SIZE_START,
    CHUNK_SIZE,
    CHUNK_NAME_START, /* of an extension */
    CHUNK_NAME,
    CHUNK_VALUE_START,
    CHUNK_VALUE,
    CHUNK_QUOTED,
    CHUNK_QUOTED_PAIR,
    CHUNK_QUOTED_END,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_STATE_COUNT,
};

/* What a byte is in the lines around the data. */
enum chunk_byte {
    BYTE_CONTROL,
    BYTE_TEXT, /* what can stand in a quoted string only */
    BYTE_HEX,
    BYTE_TOKEN, /* in a token, and no hexadecimal digit */
    BYTE_SEMICOLON,
    BYTE_EQUALS,
    BYTE_QUOTE,
    BYTE_BACKSLASH,
    BYTE_CR,
    BYTE_LF,
    BYTE_COUNT,
};

/* clang-format off */
static const uint8_t chunk_next[CHUNK_STATE_COUNT][BYTE_COUNT] = {
    [CHUNK_SIZE_START]  = { [BYTE_HEX] = CHUNK_SIZE },
    [CHUNK_SIZE]        = { [BYTE_HEX] = CHUNK_SIZE, [BYTE_SEMICOLON] = CHUNK_NAME_START,
                            [BYTE_CR] = CHUNK_SIZE_LF },
    [CHUNK_NAME_START]  = { [BYTE_HEX] = CHUNK_NAME, [BYTE_TOKEN] = CHUNK_NAME },
    [CHUNK_NAME]        = { [BYTE_HEX] = CHUNK_NAME, [BYTE_TOKEN] = CHUNK_NAME,
                            [BYTE_EQUALS] = CHUNK_VALUE_START,
                            [BYTE_SEMICOLON] = CHUNK_NAME_START, [BYTE_CR] = CHUNK_SIZE_LF },
    [CHUNK_VALUE_START] = { [BYTE_HEX] = CHUNK_VALUE, [BYTE_TOKEN] = CHUNK_VALUE,
                            [BYTE_QUOTE] = CHUNK_QUOTED },
    [CHUNK_VALUE]       = { [BYTE_HEX] = CHUNK_VALUE, [BYTE_TOKEN] = CHUNK_VALUE,
                            [BYTE_SEMICOLON] = CHUNK_NAME_START, [BYTE_CR] = CHUNK_SIZE_LF },
    [CHUNK_QUOTED]      = { [BYTE_TEXT] = CHUNK_QUOTED, [BYTE_HEX] = CHUNK_QUOTED,
                            [BYTE_TOKEN] = CHUNK_QUOTED, [BYTE_SEMICOLON] = CHUNK_QUOTED,
                            [BYTE_EQUALS] = CHUNK_QUOTED, [BYTE_BACKSLASH] = CHUNK_QUOTED_PAIR,
                            [BYTE_QUOTE] = CHUNK_QUOTED_END },
    [CHUNK_QUOTED_PAIR] = { [BYTE_TEXT] = CHUNK_QUOTED, [BYTE_HEX] = CHUNK_QUOTED,
                            [BYTE_TOKEN] = CHUNK_QUOTED, [BYTE_SEMICOLON] = CHUNK_QUOTED,
                            [BYTE_EQUALS] = CHUNK_QUOTED, [BYTE_BACKSLASH] = CHUNK_QUOTED,
                            [BYTE_QUOTE] = CHUNK_QUOTED },
    [CHUNK_QUOTED_END]  = { [BYTE_SEMICOLON] = CHUNK_NAME_START, [BYTE_CR] = CHUNK_SIZE_LF },
    [CHUNK_SIZE_LF]     = { [BYTE_LF] = CHUNK_DATA },
    [CHUNK_DATA_CR]     = { [BYTE_CR] = CHUNK_DATA_LF },
    [CHUNK_DATA_LF]     = { [BYTE_LF] = CHUNK_SIZE_START },
};
/* clang-format on */

enum trailer_state {
    TRAILER_START, /* of a line */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF, /* of a line */
    TRAILER_END_LF,
};

enum proto_state h1_start_body(struct h1 *h)
{
    if (h->facts.length_unknown) {
        h->chunk_state = CHUNK_SIZE_START;
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

static enum chunk_byte chunk_byte_of(char c)
{
    switch (c) {
    case ';':
        return BYTE_SEMICOLON;
    case '=':
        return BYTE_EQUALS;
    case '"':
        return BYTE_QUOTE;
    case '\\':
        return BYTE_BACKSLASH;
    case '\r':
        return BYTE_CR;
    case '\n':
        return BYTE_LF;
    default:
        if (http_is(c, HTTP_CLASS_HEX))
            return BYTE_HEX;
        if (http_is(c, HTTP_CLASS_TOKEN))
            return BYTE_TOKEN;
        return http_is_value(&c, 1) ? BYTE_TEXT : BYTE_CONTROL;
    }
}

static enum proto_state refuse_chunk(struct h1 *h)
{
    if (h->chunk_state >= CHUNK_DATA)
        return h1_refuse(h, 400, "no CRLF after the data of a chunk");
    return h1_refuse(h, 400, "malformed chunk size or extension");
}

/* The size line is complete: data follows, or the trailer section. */
static enum proto_state end_size_line(struct h1 *h)
{
    uint64_t max = h->limits->max_body_bytes;

    if (h->chunk_left == 0)
        h->phase = H1_PHASE_TRAILERS;
    else if (max > 0 && h->chunk_left > max - h->facts.body_bytes)
        return h1_refuse(h, 413, "the request body is over the limit (limit-post)");
    return PROTO_MORE;
}

/* One byte of what is around the data. */
static enum proto_state chunk_byte(struct h1 *h, char c)
{
    enum chunk_byte byte = chunk_byte_of(c);
    uint8_t next = chunk_next[h->chunk_state][byte];

    if (next == CHUNK_REFUSED)
        return refuse_chunk(h);
    if (++h->line_bytes > LINE_BYTES && ++h->excess_bytes > MAX_EXCESS)
        return h1_refuse(h, 400, "more than 4 KiB of chunk extensions");
    h->chunk_state = next;
    if (next == CHUNK_SIZE) {
        if (h->chunk_left > UINT64_MAX >> 4)
            return h1_refuse(h, 400, "a chunk size of more than 64 bits");
        h->chunk_left = h->chunk_left << 4 | http_hex_value(c);
    }
    return next == CHUNK_DATA ? end_size_line(h) : PROTO_MORE;
}

static enum proto_state parse_chunks(struct h1 *h, const char *data, size_t len, size_t *ret_used)
{
    size_t at = 0;

    while (at < len && h->phase == H1_PHASE_CHUNKS) {
        if (h->chunk_state != CHUNK_DATA) {
            if (chunk_byte(h, data[at++]) == PROTO_REFUSED)
                return PROTO_REFUSED;
            continue;
        }
        size_t n = (size_t)MIN((uint64_t)(len - at), h->chunk_left);
        if (!facts_store(&h->facts, data + at, n, h->sink))
            return PROTO_REFUSED;
        at += n;
        h->chunk_left -= n;
        if (h->chunk_left == 0) {
            h->chunk_state = CHUNK_DATA_CR;
            h->line_bytes = 0;
        }
    }
    *ret_used = at;
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
    else if (h->phase == H1_PHASE_CHUNKS)
        state = parse_chunks(h, data, len, &used);
    if (h->phase == H1_PHASE_TRAILERS) {
        state = parse_trailers(h, data + used, len - used, &n);
        used += n;
    }
    *ret_used = used;
    return state;
}
