/* SPDX-License-Identifier: MIT */
/* SCGI: the netstring, and the variables that it must have. Others: test-cgi.c. */
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

static struct feed_result result;

/* @status: 0 complete, -1 more is needed, else the refusal. */
static const struct scgi_case {
    const char *bytes;
    size_t len;
    int status;
} cases[] = {
/* clang-format off */
#define CASE(bytes, status) { bytes, sizeof(bytes) - 1, status }
#define LENGTH "CONTENT_LENGTH\0" "0\0" /* 17 */
#define SCGI   "SCGI\0" "1\0"           /* 7 */
#define REST   "REQUEST_METHOD\0" "GET\0" "REQUEST_URI\0" "/\0" /* 33 */
    CASE("57:" LENGTH SCGI REST ",", 0),
    CASE("57:" LENGTH REST SCGI ",", 0),
    CASE("59:CONTENT_LENGTH\0" "003\0" SCGI REST ",abc", 0),
    CASE("57:" SCGI LENGTH REST ",", 400), /* CONTENT_LENGTH is not first */
    CASE("40:" SCGI REST ",", 400),
    CASE("50:" LENGTH REST ",", 400), /* no SCGI */
    CASE("57:" LENGTH "SCGI\0" "2\0" REST ",", 400),
    CASE("56:" LENGTH "SCGI\0" "\0" REST ",", 400),
    CASE("56:CONTENT_LENGTH\0\0" SCGI REST ",", 400), /* empty */
    CASE("0:,", 400),
    CASE("57:" LENGTH SCGI REST ";", 400),
    CASE("56:" LENGTH SCGI REST ",", 400), /* no comma where it should be */
    CASE("58:" LENGTH SCGI REST ",,", 400), /* a name without its end */
    CASE("60:" LENGTH SCGI REST "A\0B,", 400),
    CASE("59:" LENGTH SCGI REST "A\0,", 400),
    CASE("057:" LENGTH SCGI REST ",", 400),
    CASE("00:,", 400),
    CASE(":,", 400),
    CASE("+57:" LENGTH SCGI REST ",", 400),
    CASE(" 57:" LENGTH SCGI REST ",", 400),
    CASE("57 :" LENGTH SCGI REST ",", 400),
    CASE("-1:,", 400),
    CASE("123456789:", 400),
    CASE("12345678:", 431),
    CASE("65534:", 431),
    CASE("GET / HTTP/1.1\r\n\r\n", 400),
    CASE("", -1),
    CASE("5", -1),
    CASE("57:", -1),
    CASE("57:" LENGTH SCGI REST, -1),
    CASE("59:CONTENT_LENGTH\0" "003\0" SCGI REST ",ab", -1),
    /* clang-format on */
};

static void test_netstrings(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        feed_all_ways(PROTO_SCGI, cases[i].bytes, cases[i].len, &feed_limits, &result);
        int status = result.state == PROTO_MORE ? -1 : result.status;
        if (status != cases[i].status)
            fail_msg("case %zu: %d %s", i, status, result.reason);
        if (status == 0)
            assert_int_equal(result.state, PROTO_COMPLETE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_netstrings),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
