/* SPDX-License-Identifier: MIT */
/* Character classes and comparisons of HTTP. One table answers "may this byte stand here"; it is
 * the only place that knows. Called by the parsers for what comes in and by head.c for what an
 * application wants to send. Control characters are counted in blocks of 64 bytes without a branch
 * in the loop, so that the compiler makes vector code of it: the scan sees every byte of every
 * head. */
#include "http/text.h"

#include <string.h>

#define BLOCK 64

#define T HTTP_CLASS_TOKEN
#define U HTTP_CLASS_TARGET
#define H HTTP_CLASS_HOST
#define X HTTP_CLASS_HEX
#define D HTTP_CLASS_DIGIT

/* clang-format off */
const uint8_t http_classes[256] = {
    ['0' ... '9'] = T | U | H | X | D,
    ['A' ... 'F'] = T | U | H | X,     ['G' ... 'Z'] = T | U | H,
    ['a' ... 'f'] = T | U | H | X,     ['g' ... 'z'] = T | U | H,
    ['-'] = T | U | H, ['.'] = T | U | H, ['_'] = T | U | H, ['~'] = T | U | H,
    ['!'] = T | U, ['$'] = T | U, ['%'] = T | U, ['&'] = T | U, ['\''] = T | U, ['*'] = T | U,
    ['+'] = T | U, ['^'] = T | U, ['`'] = T | U, ['|'] = T | U,
    ['#'] = T,
    /* not all of these are in RFC 3986, but browsers send them as they are */
    ['"'] = U, ['('] = U, [')'] = U, [','] = U, ['/'] = U, [':'] = U, [';'] = U, ['<'] = U,
    ['='] = U, ['>'] = U, ['?'] = U, ['@'] = U, ['['] = U, ['\\'] = U, [']'] = U, ['{'] = U,
    ['}'] = U,
};
/* clang-format on */

#undef T
#undef U
#undef H
#undef X
#undef D

bool http_all(const char *text, size_t len, unsigned class)
{
    unsigned all = class;

    for (size_t i = 0; i < len; i++)
        all &= http_classes[(unsigned char)text[i]];
    return all == class;
}

static void count_block(const unsigned char *block, struct http_controls *ret)
{
    uint8_t n_cr = 0, n_lf = 0, n_all = 0; /* at most BLOCK each */

    for (size_t i = 0; i < BLOCK; i++) {
        unsigned char c = block[i];
        n_cr = (uint8_t)(n_cr + (c == '\r'));
        n_lf = (uint8_t)(n_lf + (c == '\n'));
        n_all = (uint8_t)(n_all + (((c < 0x20) & (c != '\t')) | (c == 0x7f)));
    }
    ret->n_cr += n_cr;
    ret->n_lf += n_lf;
    ret->n_other += (size_t)n_all - n_cr - n_lf;
}

void http_count_controls(const char *text, size_t len, struct http_controls *ret)
{
    const unsigned char *data = (const unsigned char *)text;
    unsigned char rest[BLOCK];

    *ret = (struct http_controls){0};
    for (; len >= BLOCK; data += BLOCK, len -= BLOCK)
        count_block(data, ret);
    if (len == 0)
        return;
    memset(rest, ' ', sizeof(rest));
    memcpy(rest, data, len);
    count_block(rest, ret);
}

bool http_is_value(const char *text, size_t len)
{
    struct http_controls n;

    http_count_controls(text, len, &n);
    return n.n_cr + n.n_lf + n.n_other == 0;
}

static unsigned lower_case(char c)
{
    return (unsigned char)c + (c >= 'A' && c <= 'Z' ? 0x20U : 0U);
}

bool http_equal_nocase(struct liege_str a, struct liege_str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower_case(a.data[i]) != lower_case(b.data[i]))
            return false;
    return true;
}

struct liege_str http_trim(struct liege_str s)
{
    while (s.len > 0 && (*s.data == ' ' || *s.data == '\t')) {
        s.data++;
        s.len--;
    }
    while (s.len > 0 && (s.data[s.len - 1] == ' ' || s.data[s.len - 1] == '\t'))
        s.len--;
    return s;
}
