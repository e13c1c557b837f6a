/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/errmsg.h"
#include "liege/app.h"

/* Lines of the access log in an operator's own words: text with uWSGI's variables, "%(addr)
 * %(uri)". It is read once, into a list of pieces, and then only written. */

/* What there is to say about a request that has been answered. */
struct access_entry {
    const struct liege_request *req;
    const char *name; /* of the instance */
    int worker;
    int status;
    uint64_t bytes;      /* of the body */
    uint64_t head_bytes; /* of the answer's head */
    uint64_t began_us;   /* since 1970 */
    uint64_t duration_us;
};

struct log_format_piece;

struct log_format {
    struct log_format_piece *pieces;
    size_t n_pieces;
};

/* Reads @text. Returns 0, or -EINVAL with @err naming the variable that does not exist. */
int log_format_parse(const char *text, struct log_format *ret, struct errmsg *err) _must_check_;
void log_format_done(struct log_format *f);

/* Appends the line, without its end. What a client sent is escaped: a line stays a line, and quotes
 * stay quotes. Returns 0 or -ENOMEM. */
int log_format_write(const struct log_format *f, const struct access_entry *e,
                     struct buf *out) _must_check_;

/* The same facts as one JSON object. Of what a client sent each byte is a character (U+0000 to
 * U+00FF), so that the bytes can be had back whatever they were. Returns 0 or -ENOMEM. */
int log_format_json(const struct access_entry *e, struct buf *out) _must_check_;

/* Appends @text so that it can neither end a line nor quotes; it ends when that has become @max
 * bytes. */
int log_format_escape(struct liege_str text, size_t max, struct buf *out) _must_check_;
