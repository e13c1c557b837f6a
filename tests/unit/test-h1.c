/* SPDX-License-Identifier: MIT */
/* Heads of requests: what is accepted, and every refusal with its status, each fed whole and byte
 * by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macro.h"
#include "proto-feed.h"

/* A request line or fields, and what must come of it: 0 accepted, else the status. */
struct head_case {
    const char *text;
    size_t len;
    int status;
};

#define CASE(text, status)                                                                         \
    {                                                                                              \
        text, sizeof(text) - 1, status                                                             \
    }
#define HOST "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST "POST / HTTP/1.1\r\nHost: a\r\n"
#define END  "\r\n\r\n"

/* clang-format off */
static const struct head_case request_lines[] = {
    CASE("GET / HTTP/1.1\r\nHost: a" END, 0),
    CASE("GET / HTTP/1.0" END, 0),
    CASE("\r\nGET / HTTP/1.0" END, 0),
    CASE("\r\n\r\n\r\n\r\nGET / HTTP/1.0" END, 0),
    CASE("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.0" END, 400),
    CASE("\nGET / HTTP/1.0" END, 400),
    CASE("\rGET / HTTP/1.0" END, 400),
    CASE("\r\rGET / HTTP/1.0" END, 400),
    CASE("PATCH / HTTP/1.0" END, 0),
    CASE("PROPFIND / HTTP/1.0" END, 0),
    CASE("FOO / HTTP/1.1" END, 501),
    CASE("get / HTTP/1.1" END, 501),
    CASE("GETX / HTTP/1.1" END, 501),
    CASE("PROX / HTTP/1.1" END, 400),
    CASE("DESCRIBE / HTTP/1.0" END, 501),
    CASE("DESCRIBE / RTSP/1.0" END, 400),
    CASE("SOURCE / ICE/1.0" END, 400),
    CASE("GET / RTSP/1.0" END, 400),
    CASE("G\x01T / HTTP/1.1" END, 400),
    CASE("G\0T / HTTP/1.1" END, 400),
    CASE("G@T / HTTP/1.1" END, 400),
    CASE(" GET / HTTP/1.1" END, 400),
    CASE("GET\t/ HTTP/1.1" END, 400),
    CASE("GET  / HTTP/1.1" END, 400),
    CASE("GET /  HTTP/1.1" END, 400),
    CASE("GET /\tHTTP/1.1" END, 400),
    CASE("GET / HTTP/1.1 " END, 400),
    CASE("GET / x HTTP/1.1" END, 400),
    CASE("GET HTTP/1.1" END, 400),
    CASE("GET /" END, 400),
    CASE("GET / http/1.1" END, 400),
    CASE("GET / HTTP/1" END, 400),
    CASE("GET / HTTP/11.1" END, 400),
    CASE("GET / HTTP/1.1x" END, 400),
    CASE("GET / HTTP/0.9" END, 505),
    CASE("GET / HTTP/1.2" END, 505),
    CASE("GET / HTTP/2.0" END, 505),
    CASE("GET / HTTP/3.0" END, 505),
    CASE("GET / HTTP/1.0\n\n", 400),
    CASE("GET / HTTP/1.0\r\r\n\r\n", 400),
    CASE("GET / HTTP/1.0\r\n\n", 400),
    CASE("GET / HTTP/1.0\r\n\r\r\n", 400),
    CASE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    CASE("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", 400),
    CASE("\x16\x03\x01\x02", 400),
    CASE("\0\x10\0\0", 400),
    CASE("", -1),
    CASE("GET / HTTP/1.1\r\nHost: a\r\n\r", -1),
    CASE("PRI * HTTP/2.0\r\n\r\n", -1),
};

static const struct head_case targets[] = {
    CASE("GET /a/b?c=d HTTP/1.0" END, 0),
    CASE("GET /?%zz%00 HTTP/1.0" END, 0),
    CASE("GET //a/../b HTTP/1.0" END, 0),
    CASE("GET /%41%2f%ff HTTP/1.0" END, 0),
    CASE("GET /\"<>[\\]^`{|} HTTP/1.0" END, 0),
    CASE("OPTIONS * HTTP/1.0" END, 0),
    CASE("GET http://a/b HTTP/1.0" END, 0),
    CASE("GET HTTPS://a.b_c:80?d HTTP/1.0" END, 0),
    CASE("GET http://A/ HTTP/1.1\r\nHost: a" END, 0),
    CASE("GET http://[::1]:80/ HTTP/1.1\r\nHost: [::1]:80" END, 0),
    CASE("GET http://b/ HTTP/1.1\r\nHost: a" END, 400),
    CASE("GET http://a/ HTTP/1.1" END, 400),
    CASE("GET http://u@a/ HTTP/1.0" END, 400),
    CASE("GET http:///a HTTP/1.0" END, 400),
    CASE("GET http://a:x/ HTTP/1.0" END, 400),
    CASE("GET ftp://a/ HTTP/1.0" END, 400),
    CASE("GET a:80 HTTP/1.0" END, 400),
    CASE("GET a HTTP/1.0" END, 400),
    CASE("GET ?a HTTP/1.0" END, 400),
    CASE("GET * HTTP/1.0" END, 400),
    CASE("OPTIONS ** HTTP/1.0" END, 400),
    CASE("CONNECT a:80 HTTP/1.1\r\nHost: a:80" END, 501),
    CASE("GET /a#b HTTP/1.0" END, 400),
    CASE("GET /\xc3\xa9 HTTP/1.0" END, 400),
    CASE("GET /\x7f HTTP/1.0" END, 400),
    CASE("GET /\x01 HTTP/1.0" END, 400),
    CASE("GET /\0 HTTP/1.0" END, 400),
    CASE("GET /a\tb HTTP/1.0" END, 400),
    CASE("GET /a\rb HTTP/1.0" END, 400),
    CASE("GET /% HTTP/1.0" END, 400),
    CASE("GET /%4 HTTP/1.0" END, 400),
    CASE("GET /%4x HTTP/1.0" END, 400),
    CASE("GET /%?a HTTP/1.0" END, 400),
    CASE("GET /%00 HTTP/1.0" END, 400),
    CASE("GET /a%00?b HTTP/1.0" END, 400),
};

static const struct head_case fields[] = {
    CASE("GET / HTTP/1.1" END, 400), /* no Host */
    CASE("GET / HTTP/1.1\r\nHost:" END, 0),
    CASE("GET / HTTP/1.1\r\nHOST: [::1]:8080" END, 0),
    CASE("GET / HTTP/1.1\r\nHost: a_b.c-d:" END, 0),
    CASE("GET / HTTP/1.1\r\nHost: a\r\nHost: a" END, 400),
    CASE("GET / HTTP/1.0\r\nHost: a\r\nhost: b" END, 400),
    CASE("GET / HTTP/1.1\r\nHost: a,b" END, 400),
    CASE("GET / HTTP/1.1\r\nHost: a b" END, 400),
    CASE("GET / HTTP/1.1\r\nHost: a/b" END, 400),
    CASE("GET / HTTP/1.1\r\nHost: a@b" END, 400),
    CASE("GET / HTTP/1.1\r\nHost: a?b" END, 400),
    CASE("GET / HTTP/1.1\r\nHost: a:b" END, 400),
    CASE("GET / HTTP/1.1\r\nHost: a:123456" END, 400),
    CASE("GET / HTTP/1.1\r\nHost: :80" END, 400),
    CASE("GET / HTTP/1.1\r\nHost: [::1" END, 400),
    CASE("GET / HTTP/1.1\r\nHost: [::1]x" END, 400),
    CASE("GET / HTTP/1.1\r\nHost: []" END, 400),
    CASE("GET / HTTP/1.1\r\nHost: a\xe9" END, 400),
    CASE(HOST "Content-Type: a\r\nContent-Type: a" END, 400),
    CASE(HOST "X:" END, 0),
    CASE(HOST "X: \t \r\nY:z" END, 0),
    CASE(HOST "X: \xe9\t\x80" END, 0),
    CASE(HOST "!#$%&'*+-.^_`|~09azAZ: 1" END, 0),
    CASE(HOST ": x" END, 400),
    CASE(HOST "X" END, 400),
    CASE(HOST "X : y" END, 400),
    CASE(HOST "X\t: y" END, 400),
    CASE(HOST "X\x85: y" END, 400),
    CASE(HOST "X\xa0: y" END, 400),
    CASE(HOST "X\0: y" END, 400),
    CASE(HOST "X(: y" END, 400),
    CASE(HOST "X y: z" END, 400),
    CASE(HOST "X: a\r\n b" END, 400),
    CASE(HOST "X: a\r\n\tb" END, 400),
    CASE(HOST "X:\r\n b" END, 400),
    CASE("GET / HTTP/1.1\r\n Host: a" END, 400),
    CASE("GET / HTTP/1.1\r\n\tHost: a" END, 400),
    CASE(HOST "X: a\rTransfer-Encoding: chunked" END, 400),
    CASE(HOST "X: a\nTransfer-Encoding: chunked" END, 400),
    CASE(HOST "X: a\0b" END, 400),
    CASE(HOST "X: a\x01" END, 400),
    CASE(HOST "X: a\x0b" END, 400),
    CASE(HOST "X: a\x1f" END, 400),
    CASE(HOST "X: a\x7f" END, 400),
    CASE(HOST "X: a\n\r\n", 400),
    CASE(HOST "X: a\r\n\n", 400),
    CASE(HOST "X: a\r\r\n\r\n", 400),
    CASE(HOST "Connection: close\r\n x" END, 400),
    CASE(HOST "Connection: close\x01" END, 400),
    CASE(HOST "Connection: clo\0se" END, 400),
    CASE(HOST "Upgrade: a\rb" END, 400),
    CASE(HOST "Connection: upgrade\r\nUpgrade: websocket" END, 0),
    CASE(HOST "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: A" END, 0),
};

static const struct head_case framings[] = {
    CASE(POST "Content-Length: 0" END, 0),
    CASE(POST "Content-Length: 5 \r\n\r\nabcde", 0),
    CASE(POST "Content-Length:\t05" END "abcde", 0),
    CASE(POST "Content-Length: 5\r\n\r\nabcd", -1),
    CASE(POST "Content-Length:" END, 400),
    CASE(POST "Content-Length: " END, 400),
    CASE(POST "Content-Length: +5" END "abcde", 400),
    CASE(POST "Content-Length: -5" END "abcde", 400),
    CASE(POST "Content-Length: 0x5" END "abcde", 400),
    CASE(POST "Content-Length: 1_0" END "abcde", 400),
    CASE(POST "Content-Length: 5 5" END "abcde", 400),
    CASE(POST "Content-Length: 5, 5" END "abcde", 400),
    CASE(POST "Content-Length: 5," END "abcde", 400),
    CASE(POST "Content-Length: abc" END "abcde", 400),
    CASE(POST "Content-Length: 5\x0b" END "abcde", 400),
    CASE(POST "Content-Length: \xa0" "5" END "abcde", 400),
    CASE(POST "Content-Length\x85: 3" END "abc", 400),
    CASE(POST "Content-Length : 3" END "abc", 400),
    CASE(POST "Content-Length: 5\r\n 5" END "abcde", 400),
    CASE(POST "Content-Length: 5\r\nContent-Length: 5" END "abcde", 400),
    CASE(POST "Content-Length: 0\r\ncontent-length: 44" END "abcde", 400),
    CASE(POST "Content-Length: 18446744073709551617" END "abcde", 400),
    CASE(POST "Content-Length: 00000000000000000005" END "abcde", 400),
    CASE(POST "Content-Length: 9223372036854775808" END "abcde", 400),
    CASE(POST "Content-Length: 4294967301" END "abcde", 413),
    CASE(POST "Content-Length: 1048577" END "abcde", 413),
    CASE(POST "Content-Length: 1048576" END "abcde", -1),
    CASE(POST "Transfer-Encoding: chunked" END "0\r\n\r\n", 0),
    CASE(POST "Transfer-Encoding:Chunked \r\n\r\n0\r\n\r\n", 0),
    CASE(POST "Transfer-Encoding: chunked\r\nContent-Length: 5" END "0\r\n\r\n", 400),
    CASE(POST "Content-Length: 5\r\nTransfer-Encoding: chunked" END "0\r\n\r\n", 400),
    CASE("POST / HTTP/1.0\r\nTransfer-Encoding: chunked" END "0\r\n\r\n", 400),
    CASE(POST "Transfer-Encoding:" END, 400),
    CASE(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked" END "0\r\n\r\n", 400),
    CASE(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity" END "0\r\n\r\n", 400),
    CASE(POST "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked" END "0\r\n\r\n", 400),
    CASE(POST "Transfer-Encoding: identity" END, 400),
    CASE(POST "Transfer-Encoding: gzip" END, 400),
    CASE(POST "Transfer-Encoding: gzip, chunked" END, 501),
    CASE(POST "Transfer-Encoding: deflate,gzip , chunked" END, 501),
    CASE(POST "Transfer-Encoding: chunked, gzip" END, 400),
    CASE(POST "Transfer-Encoding: chunked, chunked" END, 400),
    CASE(POST "Transfer-Encoding: foo, chunked" END, 400),
    CASE(POST "Transfer-Encoding: ,chunked" END, 400),
    CASE(POST "Transfer-Encoding: chunked," END, 400),
    CASE(POST "Transfer-Encoding: xchunked" END, 400),
    CASE(POST "Transfer-Encoding: chunkedx" END, 400),
    CASE(POST "Transfer-Encoding: chunked;q=1" END, 400),
    CASE(POST "Transfer-Encoding: \"chunked\"" END, 400),
    CASE(POST "Transfer-Encoding: \x0b" "chunked" END, 400),
    CASE(POST "Transfer-Encoding: chunked\x0c" END, 400),
    CASE(POST "Transfer-Encoding: chunked\x1c" END, 400),
    CASE(POST "Transfer-Encoding: \x85" "chunked" END, 400),
    CASE(POST "Transfer-Encoding: chunked\xa0" END, 400),
    CASE(POST "Transfer-Encoding : chunked" END, 400),
    CASE(POST "Transfer-Encoding:\r\n chunked" END, 400),
    CASE(POST "Transfer-Encoding: chu\r\n nked" END, 400),
    CASE(POST "Transfer-Encoding: chunked\r\n , gzip" END, 400),
    CASE(POST "Expect: 100-continue\r\nContent-Length: 1" END "a", 0),
    CASE(POST "Expect: 100-Continue" END, 0),
    CASE(POST "Expect: something" END, 417),
    CASE(POST "Expect: 100-continue\r\nExpect: 100-continue" END, 400),
    CASE("POST / HTTP/1.0\r\nExpect: something" END, 0),
};
/* clang-format on */

static void check_result(const struct head_case *c, const struct feed_result *r)
{
    enum proto_state want = c->status == 0  ? PROTO_COMPLETE
                            : c->status < 0 ? PROTO_MORE
                                            : PROTO_REFUSED;

    if (r->state != want || (c->status > 0 && r->status != c->status))
        fail_msg("%s: state %d status %d (%s)", c->text, (int)r->state, r->status,
                 r->reason ? r->reason : "");
    if (c->status > 0)
        assert_true(r->reason && strlen(r->reason) > 0);
}

static void check_cases(const struct head_case *cases, size_t n)
{
    static struct feed_result whole, bytes;

    for (size_t i = 0; i < n; i++) {
        feed(PROTO_HTTP, cases[i].text, cases[i].len, FEED_WHOLE, &feed_limits, &whole);
        check_result(&cases[i], &whole);
        feed(PROTO_HTTP, cases[i].text, cases[i].len, 1, &feed_limits, &bytes);
        check_result(&cases[i], &bytes);
        assert_int_equal(whole.head_len, bytes.head_len);
        assert_int_equal(whole.body_len, bytes.body_len);
    }
}

static void test_request_lines(void **state)
{
    (void)state;
    check_cases(request_lines, COUNT_OF(request_lines));
}

static void test_targets(void **state)
{
    (void)state;
    check_cases(targets, COUNT_OF(targets));
}

static void test_fields(void **state)
{
    (void)state;
    check_cases(fields, COUNT_OF(fields));
}

static void test_framings(void **state)
{
    (void)state;
    check_cases(framings, COUNT_OF(framings));
}

/* No control character passes at any place of a head. */
static void test_controls_everywhere(void **state)
{
    static const char head[] = "GET /a?b HTTP/1.1\r\nHost: a\r\nX-Y: z \r\nCookie: a=b\r\n\r\n";
    static struct feed_result r;

    (void)state;
    for (size_t at = 0; at < sizeof(head) - 1; at++) {
        for (int c = 0; c < 0x20; c++) {
            char text[sizeof(head)];
            memcpy(text, head, sizeof(head));
            if (c == '\t' || text[at] == c)
                continue;
            text[at] = (char)c;
            feed(PROTO_HTTP, text, sizeof(head) - 1, FEED_WHOLE, &feed_limits, &r);
            if (r.state == PROTO_COMPLETE)
                fail_msg("byte %d at %zu was accepted", c, at);
        }
    }
}

/* The bytes of the next request stay where they are. */
static void test_pipelined(void **state)
{
    static const char first[] = POST "Content-Length: 3\r\n\r\nabc";
    static const char second[] = "GET / HTTP/1.0" END;
    char text[sizeof(first) + sizeof(second)] = "";
    static struct feed_result r;

    (void)state;
    (void)snprintf(text, sizeof(text), "%s%s", first, second);
    for (size_t step = 1; step < sizeof(text); step++) {
        feed(PROTO_HTTP, text, sizeof(first) + sizeof(second) - 2, step, &feed_limits, &r);
        assert_int_equal(r.state, PROTO_COMPLETE);
        assert_int_equal(r.used, sizeof(first) - 1);
        assert_int_equal(r.body_len, 3);
        assert_memory_equal(r.body, "abc", 3);
    }
    feed(PROTO_HTTP, second, sizeof(second) - 1, FEED_WHOLE, &feed_limits, &r);
    assert_int_equal(r.used, sizeof(second) - 1);
}

static const struct proto_limits small_limits = {
    .max_head_bytes = 2000,
    .max_target_bytes = 100,
    .max_field_bytes = 100,
    .max_fields = 80,
};

static void check_limit(const char *text, size_t len, int status)
{
    static struct feed_result r;
    const struct head_case c = {text, len, status};

    for (size_t step = 1; step < 4; step++) {
        feed(PROTO_HTTP, text, len, step == 3 ? FEED_WHOLE : step, &small_limits, &r);
        check_result(&c, &r);
    }
}

static void test_line_limits(void **state)
{
    char text[512];

    (void)state;
    for (int n = 98; n <= 101; n++) {
        int len = snprintf(text, sizeof(text), "GET /%0*d HTTP/1.0" END, n, 1);
        check_limit(text, (size_t)len, n + 1 > 100 ? 414 : 0);
        len = snprintf(text, sizeof(text), "GET / HTTP/1.0\r\nX: %0*d" END, n - 4, 1);
        check_limit(text, (size_t)len, n + 1 > 100 ? 431 : 0); /* "X: " and CRLF count */
    }
}

static void test_field_count(void **state)
{
    char text[2000];

    (void)state;
    for (int n = 62; n <= 81; n++) {
        int len = snprintf(text, sizeof(text), "GET / HTTP/1.0\r\n");
        for (int i = 0; i < n; i++)
            len += snprintf(text + len, sizeof(text) - (size_t)len, "X-%d: %d\r\n", i, i);
        len += snprintf(text + len, sizeof(text) - (size_t)len, "\r\n");
        check_limit(text, (size_t)len, n > 80 ? 431 : 0);
    }
}

static void test_head_size(void **state)
{
    char text[4000];

    (void)state;
    for (int over = -1; over <= 1; over++) {
        int len = snprintf(text, sizeof(text), "GET / HTTP/1.0\r\n");
        while (len < 1950 + over)
            len += snprintf(text + len, sizeof(text) - (size_t)len, "X: %040d\r\n", 1);
        int rest = 2000 + over - len - 2;
        len += snprintf(text + len, sizeof(text) - (size_t)len, "Y: %0*d\r\n\r\n", rest - 5, 1);
        assert_int_equal(len, 2000 + over);
        check_limit(text, (size_t)len, over > 0 ? 431 : 0);
    }
    int len = snprintf(text, sizeof(text), "GET /%03000d", 1);
    check_limit(text, (size_t)len, 414);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_lines),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_framings),
        cmocka_unit_test(test_controls_everywhere),
        cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_line_limits),
        cmocka_unit_test(test_field_count),
        cmocka_unit_test(test_head_size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
