/* SPDX-License-Identifier: MIT */
#include "http/range.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "http/text.h"

#define WHOLE UINT64_MAX

static const struct {
    const char *value;
    uint64_t size;
    enum http_range_result result;
    size_t n;
    struct http_range first, last; /* of the parts */
} cases[] = {
    {"bytes=0-0", 10, HTTP_RANGE_PARTS, 1, {0, 1}, {0, 1}},
    {"bytes=0-9", 10, HTTP_RANGE_PARTS, 1, {0, 10}, {0, 10}},
    {"bytes=9-", 10, HTTP_RANGE_PARTS, 1, {9, 1}, {9, 1}},
    {"bytes=-1", 10, HTTP_RANGE_PARTS, 1, {9, 1}, {9, 1}},
    {"bytes=-10", 10, HTTP_RANGE_PARTS, 1, {0, 10}, {0, 10}},
    {"BYTES=2-3", 10, HTTP_RANGE_PARTS, 1, {2, 2}, {2, 2}},
    /* cut at the end */
    {"bytes=5-100", 10, HTTP_RANGE_PARTS, 1, {5, 5}, {5, 5}},
    {"bytes=-11", 10, HTTP_RANGE_PARTS, 1, {0, 10}, {0, 10}},
    {"bytes=0-99999999999999999999999", 10, HTTP_RANGE_PARTS, 1, {0, 10}, {0, 10}},
    {"bytes=-99999999999999999999999", 10, HTTP_RANGE_PARTS, 1, {0, 10}, {0, 10}},
    {"bytes=0-", WHOLE, HTTP_RANGE_PARTS, 1, {0, WHOLE}, {0, WHOLE}},
    /* several, with empty elements and blanks */
    {"bytes=0-1,3-4", 10, HTTP_RANGE_PARTS, 2, {0, 2}, {3, 2}},
    {"bytes= 0-1 ,, -2,", 10, HTTP_RANGE_PARTS, 2, {0, 2}, {8, 2}},
    {"bytes=5-6,0-1", 10, HTTP_RANGE_PARTS, 2, {5, 2}, {0, 2}},
    {"bytes=0-1,10-11", 10, HTTP_RANGE_PARTS, 1, {0, 2}, {0, 2}},
    {"bytes=-0,1-1", 10, HTTP_RANGE_PARTS, 1, {1, 1}, {1, 1}},
    /* outside */
    {"bytes=10-", 10, HTTP_RANGE_UNSATISFIABLE, 0, {0}, {0}},
    {"bytes=10-11,99-", 10, HTTP_RANGE_UNSATISFIABLE, 0, {0}, {0}},
    {"bytes=-0", 10, HTTP_RANGE_UNSATISFIABLE, 0, {0}, {0}},
    {"bytes=99999999999999999999999-", 10, HTTP_RANGE_UNSATISFIABLE, 0, {0}, {0}},
    {"bytes=99999999999999999999-99999999999999999999", 10, HTTP_RANGE_UNSATISFIABLE, 0, {0}, {0}},
    /* malformed, or not for us */
    {"", 10, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    {"bytes", 10, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    {"bytes=", 10, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    {"bytes=,", 10, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    {"bytes=-", 10, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    {"bytes=1", 10, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    {"bytes=a-b", 10, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    {"bytes=1-2x", 10, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    {"bytes=1 -2", 10, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    {"bytes=--1", 10, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    {"bytes=5-4", 10, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    {"bytes=0-1,5-4", 10, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    {"bytes =0-1", 10, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    {"lines=0-1", 10, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    {"bytes=0-0", 0, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    {"bytes=-5", 0, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    /* overlapping */
    {"bytes=0-5,5-6", 10, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    {"bytes=0-,0-", 10, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    {"bytes=3-4,-10", 10, HTTP_RANGE_IGNORE, 0, {0}, {0}},
    /* too many */
    {"bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9,10-10,11-11,12-12,13-13,14-14,15-15",
     99,
     HTTP_RANGE_PARTS,
     16,
     {0, 1},
     {15, 1}},
    {"bytes=0-0,1-1,2-2,3-3,4-4,5-5,6-6,7-7,8-8,9-9,10-10,11-11,12-12,13-13,14-14,15-15,16-16",
     99,
     HTTP_RANGE_IGNORE,
     0,
     {0},
     {0}},
};

static void check_range(struct http_range got, struct http_range want)
{
    assert_true(got.first == want.first && got.len == want.len);
}

static void test_ranges(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct http_ranges found = {.n_items = 0};
        struct liege_str value = http_str(cases[i].value, strlen(cases[i].value));
        uint64_t total = 0;

        print_message("%s of %llu\n", cases[i].value, (unsigned long long)cases[i].size);
        assert_int_equal(http_range_parse(value, cases[i].size, &found), cases[i].result);
        assert_int_equal(found.n_items, cases[i].n);
        for (size_t k = 0; k < found.n_items; k++)
            total += found.items[k].len;
        assert_true(found.total == total);
        if (found.n_items == 0)
            continue;
        check_range(found.items[0], cases[i].first);
        check_range(found.items[found.n_items - 1], cases[i].last);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ranges)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
