/* SPDX-License-Identifier: MIT */
/* Reads Range (RFC 9110 section 14.1.2): a list of "first-last", "first-" and "-suffix". Numbers of
 * any length are taken as what they mean, so that one too large for 64 bits is beyond the end and
 * no error. Pure; the static files call it. */
#include "http/range.h"

#include <stdbool.h>
#include <string.h>

#include "http/field.h"
#include "http/text.h"

/* Takes the digits at the front of @s; what does not fit is UINT64_MAX. False if there are none. */
static bool take_number(struct liege_str *s, uint64_t *ret)
{
    uint64_t n = 0;
    size_t i = 0;

    for (; i < s->len && http_is(s->data[i], HTTP_CLASS_DIGIT); i++)
        if (__builtin_mul_overflow(n, 10, &n) ||
            __builtin_add_overflow(n, (uint64_t)(s->data[i] - '0'), &n))
            n = UINT64_MAX;
    *s = http_str(s->data + i, s->len - i);
    *ret = n;
    return i > 0;
}

/* Reads one part. False if it is malformed; a part that lies outside has a length of 0. */
static bool parse_part(struct liege_str s, uint64_t size, struct http_range *ret)
{
    uint64_t first = 0, last = UINT64_MAX;
    bool has_first = take_number(&s, &first);

    if (s.len == 0 || *s.data != '-')
        return false;
    s = http_str(s.data + 1, s.len - 1);
    bool has_last = take_number(&s, &last);
    if (s.len > 0 || (!has_first && !has_last))
        return false;
    if (!has_first) {
        uint64_t len = MIN(last, size);
        *ret = (struct http_range){.first = size - len, .len = len};
        return true;
    }
    if (!has_last)
        last = UINT64_MAX;
    if (last < first)
        return false;
    *ret = (struct http_range){.first = first};
    if (first < size)
        ret->len = MIN(last, size - 1) - first + 1;
    return true;
}

static bool overlaps(const struct http_ranges *ranges, const struct http_range *part)
{
    for (size_t i = 0; i < ranges->n_items; i++) {
        const struct http_range *r = &ranges->items[i];
        if (part->first < r->first + r->len && r->first < part->first + part->len)
            return true;
    }
    return false;
}

enum http_range_result http_range_parse(struct liege_str value, uint64_t size,
                                        struct http_ranges *ret)
{
    struct http_ranges found = {.n_items = 0};
    struct liege_str item = {0};
    size_t n_parts = 0;

    if (size == 0 || value.len < 6 || !http_equal(http_str(value.data, 6), "bytes="))
        return HTTP_RANGE_IGNORE;
    for (value = http_str(value.data + 6, value.len - 6); http_list_next(&value, &item);) {
        struct http_range part = {0};
        if (++n_parts > HTTP_RANGES_MAX || !parse_part(item, size, &part) ||
            (part.len > 0 && overlaps(&found, &part)))
            return HTTP_RANGE_IGNORE;
        if (part.len == 0)
            continue;
        found.items[found.n_items++] = part;
        found.total += part.len;
    }
    if (n_parts == 0)
        return HTTP_RANGE_IGNORE;
    if (found.n_items == 0)
        return HTTP_RANGE_UNSATISFIABLE;
    *ret = found;
    return HTTP_RANGE_PARTS;
}
