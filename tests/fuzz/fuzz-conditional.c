/* SPDX-License-Identifier: MIT */
/* Any bytes as the values of Range, If-None-Match, If-Range, Accept-Encoding and a date: a byte for
 * the size of the file, then the values, separated by 0xff. Parts that are found lie inside and do
 * not overlap, and what a date says can be written and read again. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "http/coding.h"
#include "http/conditional.h"
#include "http/date.h"
#include "http/range.h"
#include "http/text.h"

#define NOW 1700000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct liege_str next_word(const char **at, const char *end)
{
    const char *start = *at, *stop = memchr(start, 0xff, (size_t)(end - start));

    *at = stop ? stop + 1 : end;
    return http_str(start, (size_t)((stop ? stop : end) - start));
}

static void check_ranges(struct liege_str value, uint64_t size)
{
    struct http_ranges r = {.n_items = 0};
    uint64_t total = 0;

    if (http_range_parse(value, size, &r) != HTTP_RANGE_PARTS) {
        assert(r.n_items == 0);
        return;
    }
    assert(r.n_items > 0 && r.n_items <= HTTP_RANGES_MAX);
    for (size_t i = 0; i < r.n_items; i++) {
        const struct http_range *p = &r.items[i];
        assert(p->len > 0 && p->first < size && p->len <= size - p->first);
        total += p->len;
    }
    assert(total == r.total && total <= size);
}

static void check_date(struct liege_str text)
{
    struct http_date date = {0};
    time_t time = 0, back = 0;

    if (http_date_parse(text, NOW, &time) < 0)
        return;
    const char *written = http_date_at(&date, time);
    if (memcmp(written + 12, "0000", 4) == 0) /* there is no year 0, but timegm() knows one */
        return;
    assert(http_date_parse(http_str(written, HTTP_DATE_LEN), NOW, &back) == 0 && back == time);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const codings[] = {"gzip", "br", "identity"};
    static const enum liege_field_id ids[] = {LIEGE_FIELD_IF_MATCH, LIEGE_FIELD_IF_NONE_MATCH,
                                              LIEGE_FIELD_IF_UNMODIFIED_SINCE,
                                              LIEGE_FIELD_IF_MODIFIED_SINCE, LIEGE_FIELD_IF_RANGE};
    const struct http_validators v = {.etag = {"\"tag\"", 5}, .last_modified = NOW - 1, .now = NOW};
    struct liege_field fields[COUNT_OF(ids)];

    if (size < 1)
        return 0;
    const char *at = (const char *)data + 1, *end = (const char *)data + size;
    check_ranges(next_word(&at, end), data[0] == 0xff ? UINT64_MAX : data[0]);
    struct liege_str accept = next_word(&at, end);
    for (size_t i = 0; i < COUNT_OF(codings); i++)
        assert(http_coding_quality(accept, codings[i]) <= HTTP_QUALITY_MAX);
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        fields[i] = (struct liege_field){.id = ids[i], .value = next_word(&at, end)};
        check_date(fields[i].value);
        bool strong = http_etag_in_list(fields[i].value, v.etag, false);
        assert(!strong || http_etag_in_list(fields[i].value, v.etag, true));
    }
    /* If-Match is there: it alone decides whether the rest is looked at. */
    enum http_condition c = http_condition_evaluate(fields, COUNT_OF(fields), &v);
    assert((c == HTTP_CONDITION_FAILED) != http_etag_in_list(fields[0].value, v.etag, false));
    (void)http_condition_if_range(fields, COUNT_OF(fields), &v);
    return 0;
}
