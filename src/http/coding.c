/* SPDX-License-Identifier: MIT */
/* Reads Accept-Encoding: which content coding a client takes, and how gladly. A coding's own member
 * counts before "*"; identity that is not mentioned is taken unless "*;q=0" says otherwise. Pure;
 * called where a representation has several codings to choose from. */
#include "http/coding.h"

#include <stdbool.h>
#include <string.h>

#include "http/field.h"
#include "http/text.h"

/* Reads "0.875" (RFC 9110 section 12.4.2), at most three decimals and not more than 1. */
static bool parse_weight(struct liege_str s, unsigned *ret)
{
    unsigned scale = HTTP_QUALITY_MAX, value = 0;

    if (s.len == 0 || s.len > 5 || (s.len > 1 && s.data[1] != '.'))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (i == 1)
            continue; /* the point */
        if (!http_is(s.data[i], HTTP_CLASS_DIGIT))
            return false;
        value += scale * (unsigned)(s.data[i] - '0');
        scale /= 10;
    }
    *ret = value;
    return value <= HTTP_QUALITY_MAX;
}

/* Splits "gzip;q=0.5". False if what follows the name is no weight. */
static bool parse_member(struct liege_str item, struct liege_str *ret_name, unsigned *ret_quality)
{
    const char *semicolon = memchr(item.data, ';', item.len);

    *ret_quality = HTTP_QUALITY_MAX;
    *ret_name = http_trim(item);
    if (!semicolon)
        return true;

    size_t at = (size_t)(semicolon - item.data);
    struct liege_str weight = http_trim(http_str(semicolon + 1, item.len - at - 1));
    *ret_name = http_trim(http_str(item.data, at));
    if (weight.len < 3 || !http_equal(http_str(weight.data, 2), "q="))
        return false;
    return parse_weight(http_str(weight.data + 2, weight.len - 2), ret_quality);
}

static bool names(struct liege_str name, const char *coding)
{
    return http_equal(name, coding) || (strcmp(coding, "gzip") == 0 && http_equal(name, "x-gzip"));
}

unsigned http_coding_quality(struct liege_str accept_encoding, const char *coding)
{
    const bool is_identity = strcmp(coding, "identity") == 0;
    struct liege_str item = {0}, name = {0};
    unsigned quality = 0, others = is_identity ? HTTP_QUALITY_MAX : 0;

    if (!accept_encoding.data)
        return others;
    while (http_list_next(&accept_encoding, &item)) {
        if (!parse_member(item, &name, &quality))
            continue;
        if (names(name, coding))
            return quality;
        if (http_equal(name, "*"))
            others = quality;
    }
    return others;
}
