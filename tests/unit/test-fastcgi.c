/* SPDX-License-Identifier: MIT */
/* FastCGI: records in any order that a web server could send, what is answered to those beside the
 * request, and what is refused. Variables: test-cgi.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/macro.h"
#include "cgi-encode.h"
#include "proto-feed.h"

static struct cgi_text text;
static struct cgi_text pairs; /* the least that a request has */
static struct feed_result result;

static int set_up(void **state)
{
    (void)state;
    text.len = pairs.len = 0;
    cgi_text_add_pair(&pairs, PROTO_FASTCGI, "REQUEST_METHOD", 14, "GET", 3);
    cgi_text_add_pair(&pairs, PROTO_FASTCGI, "REQUEST_URI", 11, "/", 1);
    return 0;
}

static void parse(void)
{
    feed_all_ways(PROTO_FASTCGI, text.data, text.len, &feed_limits, &result);
}

static void add(enum fastcgi_type type, uint16_t id, const char *content)
{
    cgi_text_add_record(&text, type, id, content, strlen(content), 0);
}

static void add_params(uint16_t id)
{
    cgi_text_add_record(&text, FASTCGI_PARAMS, id, pairs.data, pairs.len, 7);
    add(FASTCGI_PARAMS, id, "");
}

/* The head of a request with the id 258. */
static void add_head(void)
{
    cgi_text_add_begin(&text, 258, 1, 0);
    add_params(258);
}

static void check_complete(const char *body)
{
    if (result.state != PROTO_COMPLETE)
        fail_msg("%d %d %s", result.state, result.status, result.reason);
    assert_int_equal(result.used, text.len);
    assert_int_equal(result.body_len, strlen(body));
    assert_memory_equal(result.body, body, result.body_len);
}

static void check_refused(int status)
{
    assert_int_equal(result.state, PROTO_REFUSED);
    if (result.status != status)
        fail_msg("%d %s", result.status, result.reason);
}

static void check_replies(const char *bytes, size_t len)
{
    assert_int_equal(result.replies_len, len);
    assert_memory_equal(result.replies, bytes, len);
}

#define CHECK_REPLIES(bytes) check_replies(bytes, sizeof(bytes) - 1)

/* "\x01\x02" is 258. */
#define END(id, status)    "\1\3" id "\0\x08\0\0\0\0\0\0" status "\0\0\0"
#define UNKNOWN_TYPE(type) "\1\x0b\0\0\0\x08\0\0" type "\0\0\0\0\0\0\0"

static void test_stdin(void **state)
{
    (void)state;
    add_head();
    cgi_text_add_record(&text, FASTCGI_STDIN, 258, "abc", 3, 5);
    cgi_text_add_record(&text, FASTCGI_STDIN, 258, "de", 2, 0);
    cgi_text_add_record(&text, FASTCGI_STDIN, 258, "", 0, 255);
    parse();
    check_complete("abcde");
    CHECK_REPLIES("");
}

/* Without CONTENT_LENGTH the end of STDIN says how long the body is. */
static void test_unknown_length(void **state)
{
    struct arena arena = {0};
    struct liege_request req;
    struct proto p;
    size_t used = 0;

    (void)state;
    for (int i = 0; i < 2; i++) {
        text.len = 0;
        add_head();
        size_t head_len = text.len;
        add(FASTCGI_STDIN, 258, i == 0 ? "" : "abc");
        if (i > 0)
            add(FASTCGI_STDIN, 258, "");
        proto_init(&p, PROTO_FASTCGI);
        proto_reset(&p, &feed_limits, &arena);
        assert_int_equal(proto_parse_head(&p, text.data, text.len), PROTO_HEAD_DONE);
        assert_int_equal(p.facts.head_len, head_len);
        assert_true(p.facts.length_unknown);
        assert_int_equal(
            proto_parse_body(&p, text.data + head_len, text.len - head_len, NULL, &used),
            PROTO_COMPLETE);
        (void)proto_fill_request(&p, text.data, &req);
        assert_int_equal(req.has_body, i > 0);
        assert_int_equal(req.body_length, 3 * i);
    }
    arena_done(&arena);
}

static void test_keep_alive(void **state)
{
    struct arena arena = {0};
    struct proto p;

    (void)state;
    for (int flags = 0; flags < 256; flags++) {
        text.len = 0;
        cgi_text_add_begin(&text, 1, 1, (uint8_t)flags);
        add_params(1);
        proto_init(&p, PROTO_FASTCGI);
        proto_reset(&p, &feed_limits, &arena);
        assert_int_equal(proto_parse_head(&p, text.data, text.len), PROTO_HEAD_DONE);
        assert_int_equal(p.facts.keep_alive, flags & 1);
    }
    arena_done(&arena);
}

/* Variables that come in many records, cut anywhere. */
static void test_cut_params(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < pairs.len; piece++) {
        text.len = 0;
        cgi_text_add_begin(&text, 258, 1, 0);
        for (size_t at = 0; at < pairs.len; at += piece)
            cgi_text_add_record(&text, FASTCGI_PARAMS, 258, pairs.data + at,
                                MIN(piece, pairs.len - at), (uint8_t)(at % 3));
        cgi_text_add_record(&text, FASTCGI_PARAMS, 258, "", 0, 4);
        add(FASTCGI_STDIN, 258, "");
        feed(PROTO_FASTCGI, text.data, text.len, FEED_WHOLE, &feed_limits, &result);
        check_complete("");
        feed(PROTO_FASTCGI, text.data, text.len, 1, &feed_limits, &result);
        check_complete("");
    }
}

/* The rest of a length is in the next record. */
static void test_long_pairs(void **state)
{
    static char value[5000];

    (void)state;
    memset(value, 'v', sizeof(value));
    cgi_text_add_pair(&pairs, PROTO_FASTCGI, "LONG", 4, value, sizeof(value));
    cgi_text_add_pair(&pairs, PROTO_FASTCGI, value, 200, "", 0);
    cgi_text_add_begin(&text, 258, 1, 0);
    cgi_text_add_record(&text, FASTCGI_PARAMS, 258, pairs.data, 35, 0);
    cgi_text_add_record(&text, FASTCGI_PARAMS, 258, pairs.data + 35, pairs.len - 35, 0);
    add(FASTCGI_PARAMS, 258, "");
    add(FASTCGI_STDIN, 258, "");
    feed(PROTO_FASTCGI, text.data, text.len, FEED_WHOLE, &feed_limits, &result);
    check_complete("");
    feed(PROTO_FASTCGI, text.data, text.len, 1, &feed_limits, &result);
    check_complete("");
}

static void test_get_values(void **state)
{
    (void)state;
    add(FASTCGI_GET_VALUES, 0, "");
    add(FASTCGI_GET_VALUES, 0,
        "\016"
        "\001"
        "FCGI_MAX_CONNS1" /* a value makes no difference */);
    cgi_text_add_record(&text, FASTCGI_GET_VALUES, 0, "\017\0FCGI_MPXS_CONNS\015\0FCGI_MAX_REQS",
                        32, 0);
    add_head();
    cgi_text_add_record(&text, FASTCGI_GET_VALUES, 0, "\017\0FCGI_MPXS_CONNS", 17, 9);
    add(FASTCGI_STDIN, 258, "");
    parse();
    check_complete("");
#define NO_VALUES "\1\x0a\0\0\0\0\0\0"
#define MPXS                                                                                       \
    "\1\x0a\0\0\0\x12\0\0\017\1FCGI_MPXS_CONNS"                                                    \
    "0"
    CHECK_REPLIES(NO_VALUES NO_VALUES MPXS MPXS);
}

static void test_unknown_types(void **state)
{
    (void)state;
    add(99, 0, "abc");
    add(FASTCGI_STDIN, 0, "abc");
    add_head();
    add(12, 258, "abc");
    add(255, 9, "abc");
    add(FASTCGI_STDIN, 258, "");
    parse();
    check_complete("");
    CHECK_REPLIES(UNKNOWN_TYPE("\x63") UNKNOWN_TYPE("\5") UNKNOWN_TYPE("\x0c")
                      UNKNOWN_TYPE("\xff"));
}

/* One request at a time: a second one is turned away, and its records are ignored. */
static void test_second_request(void **state)
{
    (void)state;
    add(FASTCGI_STDIN, 7, "of nobody");
    add(FASTCGI_ABORT_REQUEST, 7, "");
    cgi_text_add_begin(&text, 258, 1, 0);
    cgi_text_add_begin(&text, 7, 1, 0);
    add_params(7);
    add_params(258);
    add(FASTCGI_STDIN, 7, "not this");
    add(FASTCGI_STDIN, 258, "this");
    cgi_text_add_begin(&text, 8, 1, 0);
    add(FASTCGI_ABORT_REQUEST, 7, "");
    add(FASTCGI_STDIN, 258, "");
    parse();
    check_complete("this");
    CHECK_REPLIES(END("\0\x07", "\1") END("\0\x08", "\1"));
}

static void test_abort(void **state)
{
    (void)state;
    cgi_text_add_begin(&text, 258, 1, 1);
    size_t begin_len = text.len;
    add(FASTCGI_ABORT_REQUEST, 258, "");
    parse();
    check_refused(0);
    CHECK_REPLIES(END("\1\2", "\0"));

    text.len = begin_len;
    add_params(258);
    add(FASTCGI_STDIN, 258, "abc");
    add(FASTCGI_ABORT_REQUEST, 258, "");
    parse();
    check_refused(0);
    CHECK_REPLIES(END("\1\2", "\0"));
}

static void test_roles(void **state)
{
    (void)state;
    for (int role = 0; role < 256; role++) {
        text.len = 0;
        cgi_text_add_begin(&text, 258, (uint8_t)role, 1);
        add_params(258);
        add(FASTCGI_STDIN, 258, "");
        parse();
        if (role == 1) {
            check_complete("");
            continue;
        }
        check_refused(0);
        CHECK_REPLIES(END("\1\2", "\3"));
    }
}

/* A record that is no part of a request that could be answered: there is nobody to tell. */
static void test_no_fastcgi(void **state)
{
    static const char *const others[] = {
        "GET / HTTP/1.1\r\n\r\n", "\2\1\0\1\0\x08\0\0\0\1\0\0\0\0\0\0", /* version 2 */
        "\1\1\0\1\0\x09\0\0\0\1\0\0\0\0\0\0\0", /* a BEGIN_REQUEST of 9 bytes */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        text.len = 0;
        cgi_text_add(&text, others[i], i == 0 ? strlen(others[0]) : 17);
        parse();
        check_refused(0);
        CHECK_REPLIES("");
    }
}

static void test_wrong_order(void **state)
{
    static const struct {
        enum fastcgi_type type;
        bool after_params, bad;
        const char *content;
    } cases[] = {
        {FASTCGI_STDIN, false, true, "abc"},
        {FASTCGI_STDIN, false, true, ""},
        {FASTCGI_DATA, false, true, ""},
        {FASTCGI_DATA, true, true, "abc"},
        {FASTCGI_PARAMS, true, true, ""},
        {FASTCGI_STDOUT, true, true, ""},
        {FASTCGI_STDERR, false, true, ""},
        {FASTCGI_END_REQUEST, true, true, "12345678"},
        {FASTCGI_GET_VALUES, true, true, ""},
        {FASTCGI_UNKNOWN_TYPE, true, true, "12345678"},
        {FASTCGI_BEGIN_REQUEST, true, true, "\0\1\0\0\0\0\0\0"},
        {FASTCGI_STDIN, true, false, "abc"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        text.len = 0;
        cgi_text_add_begin(&text, 258, 1, 0);
        if (cases[i].after_params)
            add_params(258);
        size_t len = cases[i].type == FASTCGI_BEGIN_REQUEST ? 8 : strlen(cases[i].content);
        cgi_text_add_record(&text, cases[i].type, 258, cases[i].content, len, 0);
        parse();
        if (cases[i].bad)
            check_refused(400);
        else
            assert_int_equal(result.state, PROTO_MORE);
    }
}

static void test_content_length(void **state)
{
    static const struct {
        const char *first, *second;
        int status;
    } cases[] = {
        {"abcd", "", 0},    {"ab", "cd", 0},  {"abcde", "", 400},
        {"ab", "cde", 400}, {"abc", "", 400}, {"", "", 400},
    };

    (void)state;
    cgi_text_add_pair(&pairs, PROTO_FASTCGI, "CONTENT_LENGTH", 14, "4", 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        text.len = 0;
        add_head();
        add(FASTCGI_STDIN, 258, cases[i].first);
        if (*cases[i].second)
            add(FASTCGI_STDIN, 258, cases[i].second);
        if (*cases[i].first)
            add(FASTCGI_STDIN, 258, "");
        parse();
        if (cases[i].status == 0)
            check_complete("abcd");
        else
            check_refused(cases[i].status);
    }
}

static void test_body_limit(void **state)
{
    struct proto_limits limits = feed_limits;

    (void)state;
    limits.max_body_bytes = 5;
    add_head();
    add(FASTCGI_STDIN, 258, "abc");
    add(FASTCGI_STDIN, 258, "def");
    feed_all_ways(PROTO_FASTCGI, text.data, text.len, &limits, &result);
    check_refused(413);
}

static void test_bad_pairs(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
    } cases[] = {
        /* clang-format off */
        {"\1", 1},
        {"\1\1A", 3},
        {"\2\0A", 3},
        {"\x80\0\0\1", 4},
        {"\x80\0\0", 3},
        {"\1\x80\0\0", 4},
        {"\xff\xff\xff\xff\xff\xff\xff\xff" "A", 9},
        {"\1\xff\xff\xff\xff" "A", 6},
        {"\xff\xff\xff\xff\1A", 6},
        /* clang-format on */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        text.len = 0;
        cgi_text_add_begin(&text, 258, 1, 0);
        cgi_text_add_record(&text, FASTCGI_PARAMS, 258, pairs.data, pairs.len, 0);
        cgi_text_add_record(&text, FASTCGI_PARAMS, 258, cases[i].bytes, cases[i].len, 0);
        add(FASTCGI_PARAMS, 258, "");
        parse();
        check_refused(400);

        text.len = 0;
        cgi_text_add_record(&text, FASTCGI_GET_VALUES, 0, cases[i].bytes, cases[i].len, 0);
        parse();
        check_refused(0);
    }
}

/* What comes beside a request is bounded. */
static void test_too_much_beside(void **state)
{
    static const char zeros[60000];

    (void)state;
    add_head();
    for (int i = 0; i < FASTCGI_MAX_REPLIES; i++)
        add(FASTCGI_GET_VALUES, 0, "");
    size_t len = text.len;
    parse();
    assert_int_equal(result.state, PROTO_MORE);
    add(FASTCGI_GET_VALUES, 0, "");
    parse();
    check_refused(400);
    text.len = len;
    add(FASTCGI_ABORT_REQUEST, 258, "");
    parse();
    check_refused(400);

    text.len = 0;
    cgi_text_add_record(&text, FASTCGI_GET_VALUES, 0, zeros, FASTCGI_MAX_QUERY + 1, 0);
    parse();
    check_refused(0);

    text.len = 0;
    add_head();
    cgi_text_add_record(&text, FASTCGI_STDIN, 9, zeros, sizeof(zeros), 0);
    feed(PROTO_FASTCGI, text.data, text.len, 999, &feed_limits, &result);
    assert_int_equal(result.state, PROTO_MORE);
    cgi_text_add_record(&text, FASTCGI_STDIN, 9, zeros, 6000, 0);
    feed(PROTO_FASTCGI, text.data, text.len, 999, &feed_limits, &result);
    check_refused(400);
}

#define TEST(fn) cmocka_unit_test_setup(fn, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_stdin),           TEST(test_unknown_length), TEST(test_keep_alive),
        TEST(test_cut_params),      TEST(test_long_pairs),     TEST(test_get_values),
        TEST(test_unknown_types),   TEST(test_second_request), TEST(test_abort),
        TEST(test_roles),           TEST(test_no_fastcgi),     TEST(test_wrong_order),
        TEST(test_content_length),  TEST(test_body_limit),     TEST(test_bad_pairs),
        TEST(test_too_much_beside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
