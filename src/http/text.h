/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "liege/app.h"

/* Character classes of HTTP (RFC 9110 section 5.6, RFC 3986). Nothing here depends on the locale,
 * allocates or fails. */

enum http_class {
    HTTP_CLASS_TOKEN = 1 << 0,  /* tchar: methods, field names, codings */
    HTTP_CLASS_TARGET = 1 << 1, /* may stand in a request target: visible ASCII without '#' */
    HTTP_CLASS_HOST = 1 << 2,   /* of a host name: unreserved (RFC 3986 section 2.3) */
    HTTP_CLASS_HEX = 1 << 3,
    HTTP_CLASS_DIGIT = 1 << 4,
};

extern const uint8_t http_classes[256];

static inline bool http_is(char c, unsigned class)
{
    return (http_classes[(unsigned char)c] & class) != 0;
}

/* The value of a character of HTTP_CLASS_HEX. */
static inline unsigned http_hex_value(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* True if all @len bytes are of @class; also for no bytes. */
bool http_all(const char *text, size_t len, unsigned class);

/* How many control characters (below 0x20, and 0x7f) there are; HTAB is counted as none. */
struct http_controls {
    size_t n_cr, n_lf, n_other;
};

void http_count_controls(const char *text, size_t len, struct http_controls *ret);

/* A field value that can be sent: no control character but HTAB. */
bool http_is_value(const char *text, size_t len);

/* True if @a and @b differ at most in the case of ASCII letters. */
bool http_equal_nocase(struct liege_str a, struct liege_str b);

/* Without the blanks and tabs around it. */
struct liege_str http_trim(struct liege_str s);

static inline struct liege_str http_str(const char *data, size_t len)
{
    return (struct liege_str){.data = data, .len = len};
}

/* True if @s is @word, in any case. */
static inline bool http_equal(struct liege_str s, const char *word)
{
    return http_equal_nocase(s, http_str(word, strlen(word)));
}
