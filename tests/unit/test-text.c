/* SPDX-License-Identifier: MIT */
/* Character classes and the reason phrases and dates that are made of them. */
#include "http/text.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/date.h"
#include "http/status.h"

/* The classes, said another way. */
static void test_classes(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        bool alnum = c < 0x80 && isalnum(c);
        assert_int_equal(http_is((char)c, HTTP_CLASS_TOKEN), alnum || strchr("!#$%&'*+-.^_`|~", c));
        assert_int_equal(http_is((char)c, HTTP_CLASS_TARGET), c > ' ' && c < 0x7f && c != '#');
        assert_int_equal(http_is((char)c, HTTP_CLASS_HOST), alnum || strchr("-._~", c));
        assert_int_equal(http_is((char)c, HTTP_CLASS_HEX), c < 0x80 && isxdigit(c));
        assert_int_equal(http_is((char)c, HTTP_CLASS_DIGIT), c < 0x80 && isdigit(c));
    }
    assert_int_equal(http_classes[0], 0);
    assert_true(http_all("", 0, HTTP_CLASS_DIGIT));
    assert_true(http_all("09", 2, HTTP_CLASS_DIGIT));
    assert_false(http_all("0a9", 3, HTTP_CLASS_DIGIT));
}

static void test_controls(void **state)
{
    char text[300];

    (void)state;
    for (size_t len = 0; len <= sizeof(text); len++) {
        struct http_controls n;
        memset(text, '\t', sizeof(text));
        http_count_controls(text, len, &n);
        assert_int_equal(n.n_cr + n.n_lf + n.n_other, 0);
        assert_true(http_is_value(text, len));
        memset(text, '\r', sizeof(text));
        http_count_controls(text, len, &n);
        assert_int_equal(n.n_cr, len);
        memset(text, '\x7f', sizeof(text));
        http_count_controls(text, len, &n);
        assert_int_equal(n.n_other, len);
    }
    for (int c = 0; c < 256; c++) {
        struct http_controls n;
        text[0] = (char)c;
        http_count_controls(text, 1, &n);
        assert_int_equal(n.n_cr, c == '\r');
        assert_int_equal(n.n_lf, c == '\n');
        assert_int_equal(n.n_cr + n.n_lf + n.n_other, (c < ' ' && c != '\t') || c == 0x7f);
    }
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(http_equal(http_str("ChunKed", 7), "chunked"));
    assert_false(http_equal(http_str("chunked", 7), "chunke"));
    assert_false(http_equal(http_str("a\rb", 3), "a-b"));
    assert_false(http_equal(http_str("@", 1), "`"));
    assert_true(http_equal(http_str("", 0), ""));
}

static void test_trim(void **state)
{
    struct liege_str s = http_trim(http_str(" \t a b \t", 8));

    (void)state;
    assert_int_equal(s.len, 3);
    assert_memory_equal(s.data, "a b", 3);
    assert_int_equal(http_trim(http_str("  ", 2)).len, 0);
    assert_int_equal(http_trim(http_str("", 0)).len, 0);
}

static void test_reasons(void **state)
{
    (void)state;
    for (int status = -1; status < 1000; status++)
        assert_true(strlen(http_status_reason(status)) > 0);
    assert_string_equal(http_status_reason(200), "OK");
    assert_string_equal(http_status_reason(431), "Request Header Fields Too Large");
    assert_string_equal(http_status_reason(511), "Network Authentication Required");
    assert_string_equal(http_status_reason(299), "Unknown");
    assert_string_equal(http_status_reason(1000), "Unknown");
}

static void test_date(void **state)
{
    struct http_date date = {0};

    (void)state;
    assert_string_equal(http_date_at(&date, 0), "Thu, 01 Jan 1970 00:00:00 GMT");
    assert_string_equal(http_date_at(&date, 784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
    const char *text = http_date_at(&date, 1709251199);
    assert_string_equal(text, "Thu, 29 Feb 2024 23:59:59 GMT");
    assert_int_equal(strlen(text), HTTP_DATE_LEN);
    assert_ptr_equal(http_date_at(&date, 1709251199), text);
    assert_string_equal(http_date_at(&date, 1709251200), "Fri, 01 Mar 2024 00:00:00 GMT");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes), cmocka_unit_test(test_controls),
        cmocka_unit_test(test_equal),   cmocka_unit_test(test_trim),
        cmocka_unit_test(test_reasons), cmocka_unit_test(test_date),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
