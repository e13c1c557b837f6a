/* SPDX-License-Identifier: MIT */
#include "http/date.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/text.h"

#define NOW 1700000000 /* in 2023 */

static const struct {
    const char *text;
    int result;
    time_t time;
} cases[] = {
    {"Sun, 06 Nov 1994 08:49:37 GMT", 0, 784111777},
    {"Sunday, 06-Nov-94 08:49:37 GMT", 0, 784111777},
    {"Sun Nov  6 08:49:37 1994", 0, 784111777},
    {"Wed Nov 16 08:49:37 1994", 0, 784111777 + 10 * 86400},
    {"Thu, 01 Jan 1970 00:00:00 GMT", 0, 0},
    {"Thu, 29 Feb 2024 23:59:60 GMT", 0, 1709251200},
    {"Mon, 01 Jan 0001 00:00:00 GMT", 0, -62135596800},
    {"Fri, 31 Dec 9999 23:59:59 GMT", 0, 253402300799},
    /* at most 50 years ahead */
    {"Sunday, 01-Jan-73 00:00:00 GMT", 0, 3250454400},
    {"Sunday, 01-Jan-74 00:00:00 GMT", 0, 126230400},
    {"", -EINVAL, 0},
    {"now", -EINVAL, 0},
    {"0", -EINVAL, 0},
    {"Sun, 6 Nov 1994 08:49:37 GMT", -EINVAL, 0},
    {"Sun, 06 nov 1994 08:49:37 GMT", -EINVAL, 0},
    {"Sun, 06 Nov 1994 08:49:37 UTC", -EINVAL, 0},
    {"Sun, 06 Nov 1994 08:49:37 GMT ", -EINVAL, 0},
    {"Sun, 06 Nov 1994 08:49:37", -EINVAL, 0},
    {"Sun, 06 Nov 1994 08:49:37 GM", -EINVAL, 0},
    {"Sun, 06 Nov 94 08:49:37 GMT", -EINVAL, 0},
    {"Sun, 00 Nov 1994 08:49:37 GMT", -EINVAL, 0},
    {"Sun, 32 Jan 1994 08:49:37 GMT", -EINVAL, 0},
    {"Sun, 30 Feb 1994 08:49:37 GMT", -EINVAL, 0},
    {"Sun, 06 Nov 1994 24:00:00 GMT", -EINVAL, 0},
    {"Sun, 06 Nov 1994 08:60:00 GMT", -EINVAL, 0},
    {"Sun, 06 Nov 1994 08:49:61 GMT", -EINVAL, 0},
    {"Sun, 06 Nov -994 08:49:37 GMT", -EINVAL, 0},
    {"Sun Nov  6 08:49:37 1994 GMT", -EINVAL, 0},
    {"Sun Nov 06 08:49:37 94", -EINVAL, 0},
    {"Sun, 06-Nov-94 08:49:37 GMT", -EINVAL, 0},
};

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct liege_str text = http_str(cases[i].text, strlen(cases[i].text));
        time_t time = -1;

        print_message("%s\n", cases[i].text);
        assert_int_equal(http_date_parse(text, NOW, &time), cases[i].result);
        assert_true(time == (cases[i].result == 0 ? cases[i].time : -1));
    }
}

/* What is written can be read, on each day of some years. */
static void test_round_trip(void **state)
{
    struct http_date date = {0};

    (void)state;
    for (time_t t = NOW; t < NOW + (time_t)1500 * 86400; t += 86399) {
        time_t back = 0;
        struct liege_str text = http_str(http_date_at(&date, t), HTTP_DATE_LEN);

        assert_int_equal(http_date_parse(text, NOW, &back), 0);
        assert_true(back == t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_round_trip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
