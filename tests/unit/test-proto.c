/* SPDX-License-Identifier: MIT */
/* The table of the protocols, and answers as each of them sends them. */
#include "proto/proto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

#define HEAD(type, id, len) "\1" type id len "\0\0"
#define END_OF_7            "\1\6\0\7\0\0\0\0\1\3\0\7\0\x08\0\0\0\0\0\0\0\0\0\0"

static struct buf out;

static int tear_down(void **state)
{
    (void)state;
    buf_done(&out);
    return 0;
}

static void start(struct proto *p, enum proto_id id)
{
    memset(p, 0, sizeof(*p));
    proto_init(p, id);
    if (id == PROTO_FASTCGI)
        p->fastcgi.id = 7;
}

static void check_out(const char *want, size_t len)
{
    assert_int_equal(buf_len(&out), len);
    assert_memory_equal(buf_at(&out), want, len);
    buf_consume(&out, len);
}

#define CHECK_OUT(want) check_out(want, sizeof(want) - 1)

/* Frames @data and puts what is sent into out. */
static void frame(const struct proto *p, enum http_framing framing, const char *data, bool last)
{
    struct proto_frame f;

    proto_frame_piece(p, framing, data, strlen(data), last, &f);
    assert_int_equal(f.taken, strlen(data));
    for (size_t i = 0; i < f.n_iov; i++)
        assert_int_equal(buf_append(&out, f.iov[i].iov_base, f.iov[i].iov_len), 0);
}

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROTO_COUNT; i++) {
        const struct proto_ops *ops = &protocols[i];
        assert_non_null(ops->name);
        assert_true(ops->reset && ops->parse_head && ops->parse_body && ops->fill_request);
        assert_int_equal(ops->gateway, ops->style != HTTP_STYLE_HTTP);
        for (size_t k = 0; k < i; k++)
            assert_int_not_equal(ops->style, protocols[k].style);
    }
}

static void test_http_pieces(void **state)
{
    struct proto p;

    (void)state;
    start(&p, PROTO_HTTP);
    frame(&p, HTTP_FRAMING_LENGTH, "abc", true);
    CHECK_OUT("abc");
    frame(&p, HTTP_FRAMING_CHUNKED, "abc", false);
    CHECK_OUT("3\r\nabc\r\n");
    frame(&p, HTTP_FRAMING_CHUNKED, "abc", true);
    CHECK_OUT("3\r\nabc\r\n0\r\n\r\n");
    frame(&p, HTTP_FRAMING_CHUNKED, "", true);
    CHECK_OUT("0\r\n\r\n");
    frame(&p, HTTP_FRAMING_CHUNKED, "", false);
    frame(&p, HTTP_FRAMING_NONE, "", true);
    frame(&p, HTTP_FRAMING_LENGTH, "", true);
    CHECK_OUT("");
    assert_true(proto_frames_pieces(&p, HTTP_FRAMING_CHUNKED));
    assert_false(proto_frames_pieces(&p, HTTP_FRAMING_LENGTH));
    assert_false(proto_frames_pieces(&p, HTTP_FRAMING_CLOSE));
}

static void test_bare_pieces(void **state)
{
    static const enum proto_id ids[] = {PROTO_UWSGI, PROTO_SCGI};
    struct proto p;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        start(&p, ids[i]);
        frame(&p, HTTP_FRAMING_CLOSE, "abc", true);
        CHECK_OUT("abc");
        assert_false(proto_frames_pieces(&p, HTTP_FRAMING_CLOSE));
        assert_int_equal(buf_append(&out, "head", 4), 0);
        assert_int_equal(proto_wrap(&p, &out, 0, true), 0);
        CHECK_OUT("head");
    }
}

static void test_fastcgi_pieces(void **state)
{
    struct proto p;

    (void)state;
    start(&p, PROTO_FASTCGI);
    assert_true(proto_frames_pieces(&p, HTTP_FRAMING_LENGTH));
    frame(&p, HTTP_FRAMING_RECORDS, "abc", false);
    CHECK_OUT(HEAD("\6", "\0\7", "\0\3") "abc");
    frame(&p, HTTP_FRAMING_LENGTH, "abc", true);
    CHECK_OUT(HEAD("\6", "\0\7", "\0\3") "abc" END_OF_7);
    frame(&p, HTTP_FRAMING_NONE, "", true);
    CHECK_OUT(END_OF_7);
    frame(&p, HTTP_FRAMING_RECORDS, "", false);
    CHECK_OUT("");
}

/* A piece that is too long for a record takes several, and the end comes after the last one. */
static void test_long_piece(void **state)
{
    static char data[2 * FASTCGI_MAX_CONTENT + 1];
    struct proto_frame f;
    struct proto p;
    size_t at = 0, n_records = 0;

    (void)state;
    start(&p, PROTO_FASTCGI);
    while (at < sizeof(data)) {
        proto_frame_piece(&p, HTTP_FRAMING_LENGTH, data + at, sizeof(data) - at, true, &f);
        at += f.taken;
        n_records++;
        assert_int_equal(f.n_iov, at < sizeof(data) ? 2 : 3);
        assert_int_equal(f.iov[1].iov_len, at < sizeof(data) ? FASTCGI_MAX_CONTENT : 1);
    }
    assert_int_equal(n_records, 3);
}

static void test_wrap(void **state)
{
    struct proto p;

    (void)state;
    start(&p, PROTO_FASTCGI);
    assert_int_equal(buf_append(&out, "beforehead", 10), 0);
    assert_int_equal(proto_wrap(&p, &out, 6, false), 0);
    CHECK_OUT("before" HEAD("\6", "\0\7", "\0\4") "head");
    assert_int_equal(buf_append(&out, "answer", 6), 0);
    assert_int_equal(proto_wrap(&p, &out, 0, true), 0);
    CHECK_OUT(HEAD("\6", "\0\7", "\0\6") "answer" END_OF_7);
    assert_int_equal(proto_wrap(&p, &out, 0, true), 0);
    CHECK_OUT(END_OF_7);
    assert_int_equal(proto_wrap(&p, &out, 0, false), 0);
    CHECK_OUT("");
}

static void test_wrap_long(void **state)
{
    static char data[2 * FASTCGI_MAX_CONTENT + 5];
    struct proto p;

    (void)state;
    start(&p, PROTO_FASTCGI);
    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (char)(i * 7 / 5);
    assert_int_equal(buf_append(&out, data, sizeof(data)), 0);
    assert_int_equal(proto_wrap(&p, &out, 0, false), 0);
    for (size_t at = 0, n = 0; n < 3; n++) {
        size_t len = n < 2 ? FASTCGI_MAX_CONTENT : 5;
        const unsigned char *head = (unsigned char *)buf_at(&out);
        assert_int_equal(head[4] << 8 | head[5], len);
        assert_memory_equal(head + FASTCGI_HEAD_LEN, data + at, len);
        buf_consume(&out, FASTCGI_HEAD_LEN + len);
        at += len;
    }
    assert_int_equal(buf_len(&out), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),       cmocka_unit_test(test_http_pieces),
        cmocka_unit_test(test_bare_pieces), cmocka_unit_test(test_fastcgi_pieces),
        cmocka_unit_test(test_long_piece),  cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_wrap_long),
    };

    return cmocka_run_group_tests(tests, NULL, tear_down);
}
