/* SPDX-License-Identifier: MIT */
#include "http/coding.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "http/text.h"

static const struct {
    const char *value;
    unsigned gzip, br, identity;
} cases[] = {
    {NULL, 0, 0, 1000},
    {"", 0, 0, 1000},
    {"gzip", 1000, 0, 1000},
    {"GZip", 1000, 0, 1000},
    {"x-gzip", 1000, 0, 1000},
    {"gzip, deflate, br", 1000, 1000, 1000},
    {"gzip;q=0.5,br;q=0.875", 500, 875, 1000},
    {"gzip ; q=0.5 , br\t;\tq=1", 500, 1000, 1000},
    {"gzip;Q=0.001", 1, 0, 1000},
    {"gzip;q=0", 0, 0, 1000},
    {"gzip;q=0.000", 0, 0, 1000},
    {"gzip;q=1.000", 1000, 0, 1000},
    {"gzip;q=1.", 1000, 0, 1000},
    {"*", 1000, 1000, 1000},
    {"*;q=0", 0, 0, 0},
    {"*;q=0.3, gzip", 1000, 300, 300},
    {"gzip, *;q=0", 1000, 0, 0},
    {"identity;q=0, gzip;q=0.2", 200, 0, 0},
    {"identity;q=0.5, *;q=0", 0, 0, 500},
    {"gzip;q=0, *", 0, 1000, 1000},
    {"gzipped, bro", 0, 0, 1000},
    {"gzip gzip", 0, 0, 1000},
    /* malformed weights: as if the member were not there */
    {"gzip;q=1.001", 0, 0, 1000},
    {"gzip;q=2", 0, 0, 1000},
    {"gzip;q=0.1234", 0, 0, 1000},
    {"gzip;q=.5", 0, 0, 1000},
    {"gzip;q=-1", 0, 0, 1000},
    {"gzip;q=", 0, 0, 1000},
    {"gzip;", 0, 0, 1000},
    {"gzip;level=9", 0, 0, 1000},
    {"gzip;q=0.5;q=1", 0, 0, 1000},
    {";q=1", 0, 0, 1000},
};

static void test_quality(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *value = cases[i].value;
        struct liege_str s = http_str(value, value ? strlen(value) : 0);

        print_message("%s\n", value ? value : "(none)");
        assert_int_equal(http_coding_quality(s, "gzip"), cases[i].gzip);
        assert_int_equal(http_coding_quality(s, "br"), cases[i].br);
        assert_int_equal(http_coding_quality(s, "identity"), cases[i].identity);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_quality)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
