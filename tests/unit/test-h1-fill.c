/* SPDX-License-Identifier: MIT */
/* What an accepted head becomes: the request and the facts. */
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
#include "http/field.h"
#include "proto-feed.h"

static struct arena arena;
static struct h1 h;
static struct liege_request req;
static char bytes[4096];

static enum proto_state parse(const char *text)
{
    assert_true(strlen(text) < sizeof(bytes));
    memcpy(bytes, text, strlen(text) + 1);
    arena_reset(&arena);
    h1_reset(&h, &feed_limits, &arena);
    req = (struct liege_request){0};
    return h1_parse_head(&h, bytes, strlen(text));
}

static void fill(const char *text)
{
    if (parse(text) == PROTO_REFUSED)
        fail_msg("%s", h.facts.reason);
    assert_int_equal(h1_fill_request(&h, bytes, &req), 0);
}

static void check_str(struct liege_str s, const char *want)
{
    assert_int_equal(s.len, strlen(want));
    assert_memory_equal(s.data, want, s.len);
}

static void check_field(size_t i, const char *name, const char *value)
{
    assert_true(i < req.n_fields);
    check_str(req.fields[i].name, name);
    check_str(req.fields[i].value, value);
    assert_int_equal(req.fields[i].id, http_field_id(name, strlen(name)));
}

static void test_request(void **state)
{
    (void)state;
    fill("\r\nPOST /a%20b/%2F?c=%20d HTTP/1.1\r\nHost: example.com:8080\r\nX-Own:\t1 2 \r\n"
         "Content-Length: 5\r\nContent-Type: text/plain\r\nEmpty:\r\n\r\n");
    check_str(req.method, "POST");
    check_str(req.target, "/a%20b/%2F?c=%20d");
    check_str(req.script_name, "");
    check_str(req.path, "/a b//");
    check_str(req.query, "c=%20d");
    check_str(req.protocol, "HTTP/1.1");
    assert_true(req.has_body);
    assert_int_equal(req.body_length, 5);
    assert_int_equal(req.n_fields, 4);
    check_field(0, "Host", "example.com:8080");
    check_field(1, "X-Own", "1 2");
    check_field(2, "Content-Type", "text/plain");
    check_field(3, "Empty", "");
}

/* The common case points into the bytes that were read. */
static void test_no_copy(void **state)
{
    (void)state;
    fill("GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_ptr_equal(req.method.data, bytes);
    assert_ptr_equal(req.path.data, bytes + 4);
    assert_ptr_equal(req.query.data, bytes + 7);
    assert_ptr_equal(req.fields[0].value.data, bytes + 25);
}

static void test_moved_bytes(void **state)
{
    char other[sizeof(bytes)];

    (void)state;
    assert_int_equal(parse("GET /a HTTP/1.1\r\nHost: a\r\n\r\n"), PROTO_COMPLETE);
    memcpy(other, bytes, sizeof(bytes));
    memset(bytes, 'x', sizeof(bytes));
    struct h1 copy = h;
    memset(&h, 0xff, sizeof(h));
    assert_int_equal(h1_fill_request(&copy, other, &req), 0);
    check_str(req.path, "/a");
    check_field(0, "Host", "a");
}

static void test_targets(void **state)
{
    static const struct {
        const char *head, *path, *query, *host;
    } cases[] = {
        {"GET /a HTTP/1.0\r\n\r\n", "/a", "", NULL},
        {"GET /a? HTTP/1.0\r\n\r\n", "/a", "", NULL},
        {"GET //a/../b?c?d HTTP/1.0\r\n\r\n", "//a/../b", "c?d", NULL},
        {"OPTIONS * HTTP/1.0\r\n\r\n", "*", "", NULL},
        {"GET http://a:80/b?c HTTP/1.0\r\n\r\n", "/b", "c", "a:80"},
        {"GET http://a HTTP/1.0\r\n\r\n", "/", "", "a"},
        {"GET http://a?b HTTP/1.0\r\n\r\n", "/", "b", "a"},
        {"GET http://A/%61 HTTP/1.1\r\nhost: a\r\n\r\n", "/a", "", "a"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fill(cases[i].head);
        check_str(req.path, cases[i].path);
        check_str(req.query, cases[i].query);
        assert_int_equal(req.n_fields, cases[i].host ? 1 : 0);
        if (cases[i].host)
            check_field(0, "host", cases[i].host);
    }
}

static void test_fields_are_merged(void **state)
{
    (void)state;
    assert_int_equal(parse("GET / HTTP/1.0\r\nX-A: 1\r\nCookie: a=b\r\nX_A: 9\r\nx-a: 2\r\n"
                           "cookie: c=d\r\nX-B: 3\r\nX-A:\r\nX-Forwarded_For: 1\r\n\r\n"),
                     PROTO_COMPLETE);
    assert_int_equal(h1_fill_request(&h, bytes, &req), 2);
    assert_int_equal(req.n_fields, 3);
    check_field(0, "X-A", "1, 2, ");
    check_field(1, "Cookie", "a=b; c=d");
    check_field(2, "X-B", "3");
}

static void test_many_fields(void **state)
{
    char text[sizeof(bytes)];
    int len = snprintf(text, sizeof(text), "GET / HTTP/1.0\r\n");

    (void)state;
    for (int i = 0; i < 100; i++)
        len += snprintf(text + len, sizeof(text) - (size_t)len, "X-%d: %d\r\n", i, i);
    (void)snprintf(text + len, sizeof(text) - (size_t)len, "\r\n");
    fill(text);
    assert_int_equal(req.n_fields, 100);
    check_field(0, "X-0", "0");
    check_field(99, "X-99", "99");
}

static void test_keep_alive(void **state)
{
    static const struct {
        const char *head;
        bool keep_alive, upgrade;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true, false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", false, false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, close ,y\r\n\r\n", false, false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n", false, false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: xclose\r\n\r\n", true, false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n", false, false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: b\r\n\r\n", true, true},
        {"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: b\r\n\r\n", true, false},
        {"GET / HTTP/1.0\r\n\r\n", false, false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(parse(cases[i].head), PROTO_COMPLETE);
        assert_int_equal(h.facts.keep_alive, cases[i].keep_alive);
        assert_int_equal(h.facts.upgrade, cases[i].upgrade);
        assert_int_equal(h.facts.head_len, strlen(cases[i].head));
    }
}

static void test_facts(void **state)
{
    (void)state;
    assert_int_equal(parse("HEAD / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"), PROTO_COMPLETE);
    assert_true(h.facts.is_head && !h.facts.has_body && !h.facts.expect_continue);
    assert_int_equal(h.facts.minor, 0);

    assert_int_equal(parse("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                           "Content-Length: 7\r\n\r\n"),
                     PROTO_HEAD_DONE);
    assert_true(!h.facts.is_head && h.facts.has_body && h.facts.expect_continue &&
                !h.facts.length_unknown);
    assert_int_equal(h.facts.content_length, 7);
    assert_int_equal(h.facts.minor, 1);

    assert_int_equal(parse("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                           "Transfer-Encoding: chunked\r\n\r\n"),
                     PROTO_HEAD_DONE);
    assert_true(h.facts.has_body && h.facts.expect_continue && h.facts.length_unknown);

    assert_int_equal(parse("PUT / HTTP/1.0\r\nContent-Length: 0\r\n\r\n"), PROTO_COMPLETE);
    assert_true(h.facts.has_body);
}

/* The length of a chunked body is known when it has been parsed. */
static void test_chunked_length(void **state)
{
    static const char body[] = "3\r\nabc\r\n0\r\n\r\n";
    size_t used = 0;

    (void)state;
    assert_int_equal(parse("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"),
                     PROTO_HEAD_DONE);
    assert_int_equal(h1_parse_body(&h, body, sizeof(body) - 1, NULL, &used), PROTO_COMPLETE);
    assert_int_equal(h1_fill_request(&h, bytes, &req), 0);
    assert_true(req.has_body);
    assert_int_equal(req.body_length, 3);
    assert_int_equal(req.n_fields, 1);
    check_field(0, "Host", "a");
}

static int done(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),           cmocka_unit_test(test_no_copy),
        cmocka_unit_test(test_moved_bytes),       cmocka_unit_test(test_targets),
        cmocka_unit_test(test_fields_are_merged), cmocka_unit_test(test_many_fields),
        cmocka_unit_test(test_keep_alive),        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_chunked_length),
    };

    return cmocka_run_group_tests(tests, NULL, done);
}
