/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "base/macro.h"
#include "liege/app.h"

struct buf;

/* Response heads of HTTP/1 (RFC 9112), and of the protocols between a web server and an
 * application. */

/* Who reads the answer. The last three are web servers, which make an answer of HTTP of what they
 * get: they add Date and Server, and frame it anew. */
enum http_style {
    HTTP_STYLE_HTTP,    /* the client */
    HTTP_STYLE_UWSGI,   /* "HTTP/1.1 200 OK"; the body ends with the connection */
    HTTP_STYLE_SCGI,    /* "Status: 200 OK" (RFC 3875 section 6.3.3); likewise */
    HTTP_STYLE_FASTCGI, /* "Status: 200 OK"; the body ends with its records */
    HTTP_STYLE_COUNT,
};

/* What the head depends on beside what the application said. */
struct http_exchange {
    unsigned minor;    /* of the request: HTTP/1.@minor */
    bool head_request; /* the method is HEAD */
    bool keep_alive;   /* both sides want another request */
    bool length_known; /* all of the body is here: @length bytes */
    uint64_t length;
    const char *date; /* HTTP_DATE_LEN characters: http_date_at() */
};

enum http_framing {
    HTTP_FRAMING_NONE,    /* no body follows, whatever the application writes */
    HTTP_FRAMING_LENGTH,  /* exactly @length bytes follow */
    HTTP_FRAMING_CHUNKED, /* each piece after http_chunk_head(), HTTP_CHUNK_LAST at the end */
    HTTP_FRAMING_CLOSE,   /* all until the connection is closed */
    HTTP_FRAMING_RECORDS, /* all until the records end (FastCGI) */
    HTTP_FRAMING_COUNT,
};

struct http_framed {
    enum http_framing framing;
    uint64_t length; /* of LENGTH */
    bool keep_alive; /* what the client was told */
};

/* A head that is being written: its status line and fields stand in @out, the rest waits until the
 * framing can be decided. */
struct http_draft {
    struct buf *out;
    enum http_style style;
    size_t before; /* bytes that stood in @out */
    int status;
    bool has_date, has_server, has_length, close; /* what the application gave */
    uint64_t length;
    bool announce; /* write a Content-Length */
};

/* Appends status line and fields of @head to @out. Errors as http_head_write(). */
int http_head_begin(struct http_draft *d, struct buf *out, enum http_style style,
                    const struct liege_head *head, struct errmsg *err) _must_check_;

/* Appends the rest of the head. Returns 0 or -ENOMEM. */
int http_head_end(struct http_draft *d, const struct http_exchange *ex,
                  struct http_framed *ret) _must_check_;

/* Takes the head out of @out again, before or after http_head_end(). */
void http_head_withdraw(struct http_draft *d);

/* Takes the head @d out of the buffer and puts @next in its place: the draft that was begun after
 * it, and whose place it then has. */
void http_head_replace(struct http_draft *d, const struct http_draft *next);

/* Appends the head of @head to @out, up to and including the empty line. Content-Length is the
 * application's, or else the known length. Left out: hop-by-hop fields (Connection: close is
 * obeyed) and, with 204 and 304, Content-Length. Added, for a client: Date and Server where the
 * application gave none, and Connection where the default does not hold. Returns 0; -EINVAL with
 * @err when the head cannot be sent (status outside 200..599, a character that must not be in a
 * reason, name or value, contradicting Content-Lengths); -ENOMEM. After an error @out holds what it
 * held before. Does not log. */
int http_head_write(struct buf *out, enum http_style style, const struct liege_head *head,
                    const struct http_exchange *ex, struct http_framed *ret,
                    struct errmsg *err) _must_check_;

/* Appends a whole response that refuses a request: "Connection: close", the field @extra
 * (Retry-After, say; may be NULL) and a line of text for the reader; for HEAD, the head only.
 * Returns 0, or a negative errno as http_head_write(). */
int http_head_error(struct buf *out, enum http_style style, int status,
                    const struct liege_field *extra, bool head_request,
                    const char *date) _must_check_;

#define HTTP_CHUNK_HEAD_MAX 18 /* 16 digits, CR, LF */
#define HTTP_CHUNK_END      "\r\n"
#define HTTP_CHUNK_LAST     "0\r\n\r\n"

/* Writes the size line "1a\r\n" of a chunk of @len > 0 bytes (RFC 9112 section 7.1) and returns its
 * length; no terminator. HTTP_CHUNK_END follows the data. */
size_t http_chunk_head(char out[HTTP_CHUNK_HEAD_MAX], size_t len);
