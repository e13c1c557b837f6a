/* SPDX-License-Identifier: MIT */
/* Bodies that come in chunks: every refusal, limits, truncation, what is left for the next
 * request. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/macro.h"
#include "http/body.h"
#include "proto-feed.h"

#define HEAD "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

/* @status: 0 accepted, -1 more is needed, else the refusal; @body: what came of it. */
static const struct chunk_case {
    const char *text;
    size_t len;
    int status;
    const char *body;
} cases[] = {
/* clang-format off */
#define CASE(text, status, body) { HEAD text, sizeof(HEAD text) - 1, status, body }
    CASE("0\r\n\r\n", 0, ""),
    CASE("3\r\nabc\r\n0\r\n\r\n", 0, "abc"),
    CASE("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 0, "abcde"),
    CASE("A\r\n0123456789\r\n0\r\n\r\n", 0, "0123456789"),
    CASE("a\r\n0123456789\r\n000\r\n\r\n", 0, "0123456789"),
    CASE("3;a\r\nabc\r\n0;b;d=\"e f\"\r\n\r\n", 0, "abc"),
    CASE("3;a=b;c=d\r\nabc\r\n0;e;f=\"g\";h=i\r\n\r\n", 0, "abc"),
    CASE("3;a=\"; = , \t \\\" \\\\ \x80\"\r\nabc\r\n0\r\n\r\n", 0, "abc"),
    CASE("3;a=\"\"\r\nabc\r\n0\r\n\r\n", 0, "abc"),
    CASE("3\r\nabc\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n", 0, "abc"),

    CASE("3\r\nabc\r\n0\r\n", -1, "abc"),
    CASE("3\r\nabc\r\n0\r\n\r", -1, "abc"),
    CASE("3\r\nabc\r\n0\r\nX: y\r\n", -1, "abc"),
    CASE("3\r\nabc\r\n", -1, "abc"),
    CASE("3\r\nab", -1, "ab"),
    CASE("3", -1, ""),
    CASE("", -1, ""),

    CASE("3\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3\rabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3\r\nabc\n0\r\n\r\n", 400, NULL),
    CASE("3\r\nabcXX0\r\n\r\n", 400, NULL),
    CASE("3\r\nabcd\r\n0\r\n\r\n", 400, NULL),
    CASE("3\r\nab\r\n0\r\n\r\n", 400, NULL),
    CASE("3\r\nabc0\r\n\r\n", 400, NULL),
    CASE("0x3\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("+3\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("-3\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("1_0\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE(" 3\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3 \r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3\t\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3 ;a\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("\r\n", 400, NULL),
    CASE(";a\r\n", 400, NULL),
    CASE("g\r\n", 400, NULL),
    CASE("12345678901234567890\r\n", 400, NULL),
    CASE("fffffffffffffffff\r\n", 400, NULL),
    CASE("ffffffffffffffff\r\n", 413, NULL),
    CASE("100001\r\n", 413, NULL),
    CASE("3;\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3;;a\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3;=a\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3;a=\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3;a=;b\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3;a=b=c\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3;a=b\"c\"\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3;a=\"b\"c\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3;a=\"b\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3;a=\"\\\r\n\"\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3;a=\"\x7f\"\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3;a=\x80\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3; a\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("10000000000000000\r\n", 400, NULL),
    CASE("3;\x01\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3;a=\"b\nc\"\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3;a=\"b\rc\"\r\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3;a\nabc\r\n0\r\n\r\n", 400, NULL),
    CASE("3;a\rabc\r\n0\r\n\r\n", 400, NULL),
    CASE("0\n\r\n", 400, NULL),
    CASE("0\r\n\n", 400, NULL),
    CASE("0\r\n\rX", 400, NULL),
    CASE("0\r\nGET /admin HTTP/1.1\r\n\r\n", 400, NULL),
    CASE("0\r\nX: a\n\r\n", 400, NULL),
    CASE("0\r\nX: a\rb\r\n\r\n", 400, NULL),
    CASE("0\r\nX: a\r\n b\r\n\r\n", 400, NULL),
    CASE("0\r\nX: a\r\n\n", 400, NULL),
    CASE("0\r\nX: a\0\r\n\r\n", 400, NULL),
    CASE("0\r\nX : a\r\n\r\n", 400, NULL),
    CASE("0\r\n: a\r\n\r\n", 400, NULL),
    CASE("0\r\nX\r\n\r\n", 400, NULL),
    CASE("0\r\nX\x85: a\r\n\r\n", 400, NULL),
    CASE("0\r\nhost: a\r\n\r\n", 400, NULL),
    CASE("0\r\nContent-Length: 3\r\n\r\n", 400, NULL),
    CASE("0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, NULL),
    CASE("0\r\nX: a\r\nAuthorization: b\r\n\r\n", 400, NULL),
    CASE("0\r\nTE: a\r\n\r\n", 400, NULL),
    CASE("0\r\nTrailer: a\r\n\r\n", 400, NULL),
#undef CASE
    /* clang-format on */
};

static void check_case(const struct chunk_case *c, size_t step)
{
    static struct feed_result r;
    enum proto_state want = c->status == 0  ? PROTO_COMPLETE
                            : c->status < 0 ? PROTO_MORE
                                            : PROTO_REFUSED;

    feed(PROTO_HTTP, c->text, c->len, step, &feed_limits, &r);
    if (r.state != want || (c->status > 0 && r.status != c->status))
        fail_msg("%s by %zu: state %d status %d (%s)", c->text, step, (int)r.state, r.status,
                 r.reason ? r.reason : "");
    if (!c->body)
        return;
    assert_int_equal(r.used, c->len);
    assert_int_equal(r.body_len, strlen(c->body));
    assert_memory_equal(r.body, c->body, r.body_len);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        check_case(&cases[i], FEED_WHOLE);
        check_case(&cases[i], 1);
        check_case(&cases[i], 2);
        check_case(&cases[i], 7);
    }
}

static void test_next_request_is_left(void **state)
{
    static const char text[] = HEAD "3\r\nabc\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.0\r\n\r\n";
    static struct feed_result r;

    (void)state;
    for (size_t step = 1; step < sizeof(text); step++) {
        feed(PROTO_HTTP, text, sizeof(text) - 1, step, &feed_limits, &r);
        assert_int_equal(r.state, PROTO_COMPLETE);
        assert_string_equal(text + r.used, "GET / HTTP/1.0\r\n\r\n");
    }
}

/* Chunks of one byte whose extensions are together @n bytes long. */
static int status_of_extensions(size_t n, size_t step)
{
    static char text[1 << 16];
    static struct feed_result r;
    int len = snprintf(text, sizeof(text), "%s", HEAD);

    while (n > 0) {
        size_t part = n < 1000 ? n : 1000;
        len +=
            snprintf(text + len, sizeof(text) - (size_t)len, "1;%0*d\r\na\r\n", (int)part - 1, 0);
        n -= part;
    }
    len += snprintf(text + len, sizeof(text) - (size_t)len, "0\r\n\r\n");
    feed(PROTO_HTTP, text, (size_t)len, step, &feed_limits, &r);
    return r.state == PROTO_COMPLETE ? 0 : r.status;
}

static void test_extensions_are_bounded(void **state)
{
    (void)state;
    for (size_t step = 1; step < 1 << 17; step = step * 4 + 1) {
        assert_int_equal(status_of_extensions(4000, step), 0);
        assert_int_equal(status_of_extensions(4300, step), 400);
        assert_int_equal(status_of_extensions(20000, step), 400);
    }
}

static void test_zeros_are_bounded(void **state)
{
    static char text[1 << 16];
    static struct feed_result r;
    int len = snprintf(text, sizeof(text), HEAD "%05000d\r\nabc\r\n0\r\n\r\n", 3);

    (void)state;
    feed(PROTO_HTTP, text, (size_t)len, FEED_WHOLE, &feed_limits, &r);
    assert_int_equal(r.status, 400);
    feed(PROTO_HTTP, text, (size_t)len, 1, &feed_limits, &r);
    assert_int_equal(r.status, 400);
}

static void test_trailers_are_bounded(void **state)
{
    static char text[1 << 16];
    static struct feed_result r;
    int len = snprintf(text, sizeof(text), HEAD "0\r\nX: %020000d\r\n\r\n", 1);

    (void)state;
    feed(PROTO_HTTP, text, (size_t)len, FEED_WHOLE, &feed_limits, &r);
    assert_int_equal(r.status, 431);
    feed(PROTO_HTTP, text, (size_t)len, 1, &feed_limits, &r);
    assert_int_equal(r.status, 431);
}

/* One byte more than limit-post, over several chunks, is refused before it is stored. */
static void test_body_limit(void **state)
{
    static const struct proto_limits limits = {
        .max_head_bytes = 1000,
        .max_target_bytes = 100,
        .max_field_bytes = 100,
        .max_fields = 10,
        .max_body_bytes = 5,
    };
    static const char fits[] = HEAD "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    static const char over[] = HEAD "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";
    static struct feed_result r;

    (void)state;
    for (size_t step = 1; step < sizeof(over); step++) {
        feed(PROTO_HTTP, fits, sizeof(fits) - 1, step, &limits, &r);
        assert_int_equal(r.state, PROTO_COMPLETE);
        feed(PROTO_HTTP, over, sizeof(over) - 1, step, &limits, &r);
        assert_int_equal(r.status, 413);
        assert_int_equal(r.body_len, 3);
    }
}

static enum proto_state parse_into(const char *text, struct h1 *h, struct http_body *sink)
{
    size_t used = 0;

    assert_int_equal(h1_parse_head(h, text, strlen(text)), PROTO_HEAD_DONE);
    return h1_parse_body(h, text + h->facts.head_len, strlen(text) - h->facts.head_len, sink,
                         &used);
}

static void test_store_fails(void **state)
{
    static const char *const texts[] = {
        HEAD "3\r\nabc\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
    };
    struct arena arena = {0};
    static struct h1 h;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct http_body body;
        http_body_init(&body, 1, "/nonexistent");
        h1_reset(&h, &feed_limits, &arena);
        assert_int_equal(parse_into(texts[i], &h, &body), PROTO_REFUSED);
        assert_int_equal(h.facts.status, 500);
        assert_int_equal(h.facts.error, -ENOENT);
        http_body_done(&body);

        h1_reset(&h, &feed_limits, &arena);
        assert_int_equal(parse_into(texts[i], &h, NULL), PROTO_COMPLETE); /* thrown away */
        assert_int_equal(h.facts.body_bytes, 3);
    }
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_next_request_is_left),
        cmocka_unit_test(test_extensions_are_bounded),
        cmocka_unit_test(test_zeros_are_bounded),
        cmocka_unit_test(test_trailers_are_bounded),
        cmocka_unit_test(test_body_limit),
        cmocka_unit_test(test_store_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
