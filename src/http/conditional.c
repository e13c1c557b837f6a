/* SPDX-License-Identifier: MIT */
/* Conditions of requests. An entity tag may hold commas, so lists of them are read here and not by
 * http_list_next(). A date that is none makes its field as if it were not there, and so does a date
 * that came twice (its value was joined with a comma). Pure: the caller says what time it is. */
#include "http/conditional.h"

#include <string.h>

#include "http/date.h"
#include "http/field.h"
#include "http/text.h"

static struct liege_str skip(struct liege_str s, size_t n)
{
    return http_str(s.data + n, s.len - n);
}

/* Takes one entity tag off @rest: *@ret_tag with its quotes. False if there is none. */
static bool take_tag(struct liege_str *rest, struct liege_str *ret_tag, bool *ret_weak)
{
    struct liege_str s = *rest;

    *ret_weak = s.len >= 2 && s.data[0] == 'W' && s.data[1] == '/';
    if (*ret_weak)
        s = skip(s, 2);
    if (s.len < 2 || *s.data != '"')
        return false;
    const char *end = memchr(s.data + 1, '"', s.len - 1);
    if (!end)
        return false;
    *ret_tag = http_str(s.data, (size_t)(end + 1 - s.data));
    *rest = skip(s, ret_tag->len);
    return true;
}

static bool same_tag(struct liege_str a, struct liege_str b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

bool http_etag_in_list(struct liege_str value, struct liege_str etag, bool weak)
{
    struct liege_str tag = {0};
    bool is_weak = false;

    value = http_trim(value);
    if (value.len == 1 && *value.data == '*')
        return true;
    while (value.len > 0) {
        if (*value.data == ',' || *value.data == ' ' || *value.data == '\t') {
            value = skip(value, 1);
            continue;
        }
        if (!take_tag(&value, &tag, &is_weak))
            return false;
        if ((weak || !is_weak) && same_tag(tag, etag))
            return true;
    }
    return false;
}

enum http_condition http_condition_evaluate(const struct liege_field *fields, size_t n_fields,
                                            const struct http_validators *v)
{
    struct liege_str match = http_field_get(fields, n_fields, LIEGE_FIELD_IF_MATCH);
    struct liege_str none = http_field_get(fields, n_fields, LIEGE_FIELD_IF_NONE_MATCH);
    struct liege_str unmodified = http_field_get(fields, n_fields, LIEGE_FIELD_IF_UNMODIFIED_SINCE);
    struct liege_str modified = http_field_get(fields, n_fields, LIEGE_FIELD_IF_MODIFIED_SINCE);
    time_t date = 0;

    if (match.data) {
        if (!http_etag_in_list(match, v->etag, false))
            return HTTP_CONDITION_FAILED;
    } else if (unmodified.data && http_date_parse(http_trim(unmodified), v->now, &date) == 0) {
        if (v->last_modified > date)
            return HTTP_CONDITION_FAILED;
    }
    if (none.data)
        return http_etag_in_list(none, v->etag, true) ? HTTP_CONDITION_NOT_MODIFIED
                                                      : HTTP_CONDITION_GO_ON;
    if (modified.data && http_date_parse(http_trim(modified), v->now, &date) == 0 &&
        v->last_modified <= date)
        return HTTP_CONDITION_NOT_MODIFIED;
    return HTTP_CONDITION_GO_ON;
}

bool http_condition_if_range(const struct liege_field *fields, size_t n_fields,
                             const struct http_validators *v)
{
    struct liege_str value = http_field_get(fields, n_fields, LIEGE_FIELD_IF_RANGE);
    struct liege_str rest = http_trim(value), tag = {0};
    time_t date = 0;
    bool weak = false;

    if (!value.data)
        return true;
    if (take_tag(&rest, &tag, &weak))
        return rest.len == 0 && !weak && same_tag(tag, v->etag);
    return http_date_parse(rest, v->now, &date) == 0 && date == v->last_modified && date < v->now;
}
