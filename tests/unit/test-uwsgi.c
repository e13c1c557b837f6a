/* SPDX-License-Identifier: MIT */
/* uwsgi packets: which are requests, and lengths that do not fit. Variables: test-cgi.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "cgi-encode.h"
#include "proto-feed.h"

static struct cgi_text text;
static struct feed_result result;

static void parse(void)
{
    feed_all_ways(PROTO_UWSGI, text.data, text.len, &feed_limits, &result);
}

static void test_modifiers(void **state)
{
    (void)state;
    for (int modifier = 0; modifier < 256; modifier++) {
        cgi_encode(PROTO_UWSGI, CGI_GET, NULL, &text);
        text.data[0] = (char)modifier;
        parse();
        if (modifier == 0 || modifier == 5)
            assert_int_equal(result.state, PROTO_COMPLETE);
        else
            assert_int_equal(result.status, 501);
    }
}

/* It means nothing for WSGI and PSGI. */
static void test_modifier2(void **state)
{
    (void)state;
    cgi_encode(PROTO_UWSGI, CGI_GET, NULL, &text);
    text.data[3] = 30;
    parse();
    assert_int_equal(result.state, PROTO_COMPLETE);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        int status;
    } cases[] = {
/* clang-format off */
#define CASE(bytes, status) { bytes, sizeof(bytes) - 1, status }
        CASE("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
        CASE("\x16\x03\x01\x02", 501),
        CASE("\0\0\0\0", 400),                   /* no variables */
        CASE("\0\x01\0\0\0", 400),               /* half a length */
        CASE("\0\x02\0\0\0\0", 400),             /* a name without a value */
        CASE("\0\x03\0\0\x01\0A", 400),
        CASE("\0\x05\0\0\x01\0A\x01\0", 400),    /* the value is outside */
        CASE("\0\x05\0\0\xff\xff" "A\0\0", 400),
        CASE("\0\x06\0\0\x01\0A\xff\xff" "B", 400),
        CASE("\0\xff\xff\0", 431),
#undef CASE
        /* clang-format on */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        text.len = 0;
        cgi_text_add(&text, cases[i].bytes, cases[i].len);
        parse();
        assert_int_equal(result.state, PROTO_REFUSED);
        assert_int_equal(result.status, cases[i].status);
    }
}

/* A body whose length nobody says would be lost. */
static void test_body_without_length(void **state)
{
    (void)state;
    cgi_encode(PROTO_UWSGI, CGI_GET "\nHTTP_TRANSFER_ENCODING=chunked", NULL, &text);
    parse();
    assert_int_equal(result.status, 411);
    cgi_encode(PROTO_UWSGI, "CONTENT_LENGTH=\n" CGI_GET, NULL, &text);
    parse();
    assert_int_equal(result.state, PROTO_COMPLETE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modifiers),
        cmocka_unit_test(test_modifier2),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_body_without_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
