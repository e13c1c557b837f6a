/* SPDX-License-Identifier: MIT */
#include "http/head.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "http/text.h"

#define DATE       "Sun, 06 Nov 1994 08:49:37 GMT"
#define COMMON     "Server: liege\r\nDate: " DATE "\r\n"
#define OK         "HTTP/1.1 200 OK\r\n"
#define MAX_FIELDS 8

static struct liege_str str(const char *text)
{
    return http_str(text, text ? strlen(text) : 0);
}

/* Fields are written as name, value, name, value ... NULL. */
static size_t make_fields(const char *const *words, struct liege_field *out)
{
    size_t n = 0;

    for (; n < MAX_FIELDS && words[2 * n]; n++)
        out[n] = (struct liege_field){.name = str(words[2 * n]), .value = str(words[2 * n + 1])};
    return n;
}

/* Of @ex: minor, HEAD?, keep-alive?, length known?, length, date. */
static const struct good {
    int status;
    const char *fields[2 * MAX_FIELDS];
    struct http_exchange ex;
    const char *expect;
    struct http_framed framed;
} good[] = {
    /* one piece of known length */
    {200,
     {"Content-Type", "a/b"},
     {1, false, true, true, 12, DATE},
     OK "Content-Type: a/b\r\n" COMMON "Content-Length: 12\r\n\r\n",
     {HTTP_FRAMING_LENGTH, 12, true}},
    {200,
     {NULL},
     {1, false, true, true, 0, DATE},
     OK COMMON "Content-Length: 0\r\n\r\n",
     {HTTP_FRAMING_LENGTH, 0, true}},
    /* the application knows the length */
    {200,
     {"content-length", "7"},
     {1, false, true, false, 0, DATE},
     OK COMMON "Content-Length: 7\r\n\r\n",
     {HTTP_FRAMING_LENGTH, 7, true}},
    {200,
     {"Content-Length", "7", "Content-Length", "07"},
     {1, false, true, true, 5, DATE},
     OK COMMON "Content-Length: 7\r\n\r\n",
     {HTTP_FRAMING_LENGTH, 7, true}},
    /* nobody knows it */
    {200,
     {NULL},
     {1, false, true, false, 0, DATE},
     OK COMMON "Transfer-Encoding: chunked\r\n\r\n",
     {HTTP_FRAMING_CHUNKED, 0, true}},
    {200,
     {NULL},
     {0, false, true, false, 0, DATE},
     OK COMMON "Connection: close\r\n\r\n",
     {HTTP_FRAMING_CLOSE, 0, false}},
    /* keep-alive */
    {200,
     {NULL},
     {0, false, true, true, 1, DATE},
     OK COMMON "Content-Length: 1\r\nConnection: keep-alive\r\n\r\n",
     {HTTP_FRAMING_LENGTH, 1, true}},
    {200,
     {NULL},
     {1, false, false, true, 1, DATE},
     OK COMMON "Content-Length: 1\r\nConnection: close\r\n\r\n",
     {HTTP_FRAMING_LENGTH, 1, false}},
    {200,
     {"connection", "x, Close"},
     {1, false, true, true, 1, DATE},
     OK COMMON "Content-Length: 1\r\nConnection: close\r\n\r\n",
     {HTTP_FRAMING_LENGTH, 1, false}},
    {200,
     {"Connection", "keep-alive"},
     {1, false, true, true, 1, DATE},
     OK COMMON "Content-Length: 1\r\n\r\n",
     {HTTP_FRAMING_LENGTH, 1, true}},
    /* no body */
    {204,
     {"Content-Length", "0"},
     {1, false, true, true, 0, DATE},
     "HTTP/1.1 204 No Content\r\n" COMMON "\r\n",
     {HTTP_FRAMING_NONE, 0, true}},
    {304,
     {"ETag", "\"a\""},
     {1, false, true, false, 0, DATE},
     "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n" COMMON "\r\n",
     {HTTP_FRAMING_NONE, 0, true}},
    {204,
     {NULL},
     {0, false, true, false, 0, DATE},
     "HTTP/1.1 204 No Content\r\n" COMMON "Connection: keep-alive\r\n\r\n",
     {HTTP_FRAMING_NONE, 0, true}},
    {200,
     {"Content-Length", "7"},
     {1, true, true, true, 0, DATE},
     OK COMMON "Content-Length: 7\r\n\r\n",
     {HTTP_FRAMING_NONE, 7, true}},
    {200,
     {"Content-Length", "0"},
     {1, true, true, true, 0, DATE},
     OK COMMON "Content-Length: 0\r\n\r\n",
     {HTTP_FRAMING_NONE, 0, true}},
    {200,
     {NULL},
     {1, true, true, true, 5, DATE},
     OK COMMON "Content-Length: 5\r\n\r\n",
     {HTTP_FRAMING_NONE, 5, true}},
    {200, {NULL}, {1, true, true, true, 0, DATE}, OK COMMON "\r\n", {HTTP_FRAMING_NONE, 0, true}},
    {200,
     {NULL},
     {0, true, true, false, 0, DATE},
     OK COMMON "Connection: keep-alive\r\n\r\n",
     {HTTP_FRAMING_NONE, 0, true}},
    /* the application's own Date and Server */
    {200,
     {"DATE", "x", "server", "y"},
     {1, false, true, true, 0, DATE},
     OK "DATE: x\r\nserver: y\r\nContent-Length: 0\r\n\r\n",
     {HTTP_FRAMING_LENGTH, 0, true}},
    /* hop-by-hop fields */
    {200,
     {"Transfer-Encoding", "chunked", "Keep-Alive", "a", "Proxy-Connection", "b", "TE", "c",
      "Trailer", "d", "Upgrade", "e", "Teapot", "f"},
     {1, false, true, true, 0, DATE},
     OK "Teapot: f\r\n" COMMON "Content-Length: 0\r\n\r\n",
     {HTTP_FRAMING_LENGTH, 0, true}},
    /* bytes that are allowed, a field that comes twice, an unknown status */
    {299,
     {"Set-Cookie", "a\tb", "Set-Cookie", "\xe9", "X", ""},
     {1, false, true, true, 0, DATE},
     "HTTP/1.1 299 Unknown\r\nSet-Cookie: a\tb\r\nSet-Cookie: \xe9\r\nX: \r\n" COMMON
     "Content-Length: 0\r\n\r\n",
     {HTTP_FRAMING_LENGTH, 0, true}},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct liege_field fields[MAX_FIELDS];
        struct liege_head head = {.status = good[i].status, .fields = fields};
        struct http_framed framed = {0};
        struct errmsg err = {""};
        struct buf out = {0};

        head.n_fields = make_fields(good[i].fields, fields);
        assert_int_equal(http_head_write(&out, HTTP_STYLE_HTTP, &head, &good[i].ex, &framed, &err),
                         0);
        assert_int_equal(buf_append(&out, "", 1), 0);
        assert_string_equal(buf_at(&out), good[i].expect);
        assert_int_equal(framed.framing, good[i].framed.framing);
        assert_int_equal(framed.length, good[i].framed.length);
        assert_int_equal(framed.keep_alive, good[i].framed.keep_alive);
        buf_done(&out);
    }
}

/* What web servers get: they add Date and Server and do their own framing. */
static const struct styled {
    enum http_style style;
    const char *fields[2 * MAX_FIELDS];
    struct http_exchange ex;
    const char *expect;
    struct http_framed framed;
} styled[] = {
    {HTTP_STYLE_UWSGI,
     {"Connection", "x", "Status", "404"},
     {1, false, true, true, 3, DATE},
     OK "Status: 404\r\nContent-Length: 3\r\n\r\n",
     {HTTP_FRAMING_LENGTH, 3, false}},
    {HTTP_STYLE_UWSGI,
     {"X", "y"},
     {1, false, true, false, 0, DATE},
     OK "X: y\r\n\r\n",
     {HTTP_FRAMING_CLOSE, 0, false}},
    {HTTP_STYLE_SCGI,
     {"Date", "now", "status", "404 Not Found"},
     {0, false, true, true, 3, DATE},
     "Status: 200 OK\r\nDate: now\r\nContent-Length: 3\r\n\r\n",
     {HTTP_FRAMING_LENGTH, 3, false}},
    {HTTP_STYLE_SCGI,
     {NULL},
     {1, false, true, false, 0, DATE},
     "Status: 200 OK\r\n\r\n",
     {HTTP_FRAMING_CLOSE, 0, false}},
    {HTTP_STYLE_FASTCGI,
     {"Connection", "close", "STATUS", "1"},
     {0, false, true, false, 0, DATE},
     "Status: 200 OK\r\n\r\n",
     {HTTP_FRAMING_RECORDS, 0, true}},
    {HTTP_STYLE_FASTCGI,
     {"Content-Length", "9"},
     {1, false, false, false, 0, DATE},
     "Status: 200 OK\r\nContent-Length: 9\r\n\r\n",
     {HTTP_FRAMING_LENGTH, 9, false}},
    {HTTP_STYLE_FASTCGI,
     {"Content-Length", "9"},
     {1, true, true, true, 0, DATE},
     "Status: 200 OK\r\nContent-Length: 9\r\n\r\n",
     {HTTP_FRAMING_NONE, 9, true}},
};

static void test_styles(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(styled); i++) {
        struct liege_field fields[MAX_FIELDS];
        struct liege_head head = {.status = 200, .fields = fields};
        struct http_framed framed = {0};
        struct buf out = {0};

        head.n_fields = make_fields(styled[i].fields, fields);
        assert_int_equal(
            http_head_write(&out, styled[i].style, &head, &styled[i].ex, &framed, NULL), 0);
        assert_int_equal(buf_append(&out, "", 1), 0);
        assert_string_equal(buf_at(&out), styled[i].expect);
        assert_int_equal(framed.framing, styled[i].framed.framing);
        assert_int_equal(framed.length, styled[i].framed.length);
        assert_int_equal(framed.keep_alive, styled[i].framed.keep_alive);
        buf_done(&out);
    }
}

static const struct bad {
    int status;
    const char *reason;
    const char *fields[2 * MAX_FIELDS];
} bad[] = {
    {100, NULL, {NULL}},
    {199, NULL, {NULL}},
    {600, NULL, {NULL}},
    {-1, NULL, {NULL}},
    {200, "a\rb", {NULL}},
    {200, "a\nb", {NULL}},
    {200, "OK\r\nX: y", {NULL}},
    {200, "\x7f", {NULL}},
    {200, NULL, {"", "a"}},
    {200, NULL, {"X Y", "a"}},
    {200, NULL, {"X:", "a"}},
    {200, NULL, {"X\r\nY", "a"}},
    {200, NULL, {"X\n", "a"}},
    {200, NULL, {"\xe9", "a"}},
    {200, NULL, {"X", "a\r\nY: b"}},
    {200, NULL, {"X", "a\nb"}},
    {200, NULL, {"X", "a\rb"}},
    {200, NULL, {"X", "\x01"}},
    {200, NULL, {"X", "a", "Y", "b\n"}},
    {200, NULL, {"Connection", "close\n"}},
    {200, NULL, {"Transfer-Encoding", "chunked\r\n"}},
    {200, NULL, {"Content-Length", ""}},
    {200, NULL, {"Content-Length", "-1"}},
    {200, NULL, {"Content-Length", "1, 1"}},
    {200, NULL, {"Content-Length", "1x"}},
    {200, NULL, {"Content-Length", "1", "content-length", "2"}},
};

static void test_bad(void **state)
{
    const struct http_exchange ex = {.minor = 1, .length_known = true, .date = DATE};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct liege_field fields[MAX_FIELDS];
        struct liege_head head = {
            .status = bad[i].status, .reason = str(bad[i].reason), .fields = fields};
        struct http_framed framed = {.framing = HTTP_FRAMING_COUNT};
        struct errmsg err = {""};
        struct buf out = {0};

        assert_int_equal(buf_append(&out, "before", 6), 0);
        buf_consume(&out, 2);
        head.n_fields = make_fields(bad[i].fields, fields);
        assert_int_equal(http_head_write(&out, HTTP_STYLE_HTTP, &head, &ex, &framed, &err),
                         -EINVAL);
        assert_true(strlen(err.text) > 0);
        assert_int_equal(framed.framing, HTTP_FRAMING_COUNT);
        assert_int_equal(buf_len(&out), 4);
        assert_memory_equal(buf_at(&out), "fore", 4);
        buf_done(&out);
    }
}

static void test_nul(void **state)
{
    const struct http_exchange ex = {.minor = 1, .length_known = true, .date = DATE};
    const struct liege_field fields[] = {
        {.name = http_str("X", 1), .value = http_str("a\0b", 3)},
        {.name = http_str("X\0", 2), .value = http_str("a", 1)},
    };
    struct http_framed framed;
    struct buf out = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        struct liege_head head = {.status = 200, .fields = &fields[i], .n_fields = 1};
        assert_int_equal(http_head_write(&out, HTTP_STYLE_HTTP, &head, &ex, &framed, NULL),
                         -EINVAL);
    }
    struct liege_head head = {.status = 200, .reason = http_str("\0", 1)};
    assert_int_equal(http_head_write(&out, HTTP_STYLE_HTTP, &head, &ex, &framed, NULL), -EINVAL);
    buf_done(&out);
}

static void test_own_reason(void **state)
{
    const struct http_exchange ex = {.minor = 1, .keep_alive = true, .date = DATE};
    struct liege_head head = {.status = 404, .reason = str("Nothing Here")};
    struct http_framed framed;
    struct buf out = {0};

    (void)state;
    assert_int_equal(http_head_write(&out, HTTP_STYLE_HTTP, &head, &ex, &framed, NULL), 0);
    assert_memory_equal(buf_at(&out), "HTTP/1.1 404 Nothing Here\r\n", 27);
    buf_done(&out);
}

/* Many and long fields: the buffer grows below the writer. */
static void test_large(void **state)
{
    const struct http_exchange ex = {.minor = 1, .keep_alive = true, .date = DATE};
    static struct liege_field fields[1000];
    static char value[5000];
    struct liege_head head = {.status = 200, .fields = fields, .n_fields = COUNT_OF(fields)};
    struct http_framed framed;
    struct buf out = {0};

    (void)state;
    memset(value, 'v', sizeof(value));
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        fields[i] = (struct liege_field){.name = str("X-Name"), .value = http_str(value, 5 * i)};
    assert_int_equal(http_head_write(&out, HTTP_STYLE_HTTP, &head, &ex, &framed, NULL), 0);
    assert_int_equal(buf_len(&out), strlen(OK COMMON "Transfer-Encoding: chunked\r\n\r\n") +
                                        1000 * strlen("X-Name: \r\n") + (size_t)5 * 999 * 500);
    buf_done(&out);
}

/* A head that was begun can be taken back for another one, also after its end. */
static void test_withdraw(void **state)
{
    const struct http_exchange ex = {.minor = 1, .keep_alive = true, .date = DATE};
    const struct liege_field field = {.name = http_str("Content-Length", 14),
                                      .value = http_str("5", 1)};
    const struct liege_head first = {.status = 200, .fields = &field, .n_fields = 1};
    const struct liege_head second = {.status = 204};
    struct http_framed framed = {0};
    struct http_draft draft;
    struct buf out = {0};

    (void)state;
    assert_int_equal(buf_append(&out, "before", 6), 0);
    assert_int_equal(http_head_begin(&draft, &out, HTTP_STYLE_HTTP, &first, NULL), 0);
    assert_true(buf_len(&out) > 6);
    http_head_withdraw(&draft);
    assert_int_equal(buf_len(&out), 6);
    assert_int_equal(http_head_begin(&draft, &out, HTTP_STYLE_HTTP, &second, NULL), 0);
    assert_int_equal(http_head_end(&draft, &ex, &framed), 0);
    assert_int_equal(framed.framing, HTTP_FRAMING_NONE);
    assert_int_equal(buf_append(&out, "", 1), 0);
    assert_string_equal(buf_at(&out), "beforeHTTP/1.1 204 No Content\r\n" COMMON "\r\n");
    http_head_withdraw(&draft);
    assert_int_equal(buf_len(&out), 6);
    buf_done(&out);
}

static void test_error(void **state)
{
    static const struct liege_field retry = {.name = {"Retry-After", 11}, .value = {"1", 1}};
    struct buf out = {0};

    (void)state;
    assert_int_equal(http_head_error(&out, HTTP_STYLE_HTTP, 400, NULL, false, DATE), 0);
    assert_int_equal(buf_append(&out, "", 1), 0);
    assert_string_equal(buf_at(&out),
                        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n" COMMON
                        "Content-Length: 12\r\nConnection: close\r\n\r\nBad Request\n");
    buf_consume(&out, buf_len(&out));
    assert_int_equal(http_head_error(&out, HTTP_STYLE_HTTP, 503, &retry, true, DATE), 0);
    assert_int_equal(buf_append(&out, "", 1), 0);
    assert_string_equal(buf_at(&out),
                        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\n"
                        "Retry-After: 1\r\n" COMMON
                        "Content-Length: 20\r\nConnection: close\r\n\r\n");
    buf_consume(&out, buf_len(&out));
    assert_int_equal(http_head_error(&out, HTTP_STYLE_SCGI, 400, NULL, false, DATE), 0);
    assert_int_equal(buf_append(&out, "", 1), 0);
    assert_string_equal(buf_at(&out), "Status: 400 Bad Request\r\nContent-Type: text/plain\r\n"
                                      "Content-Length: 12\r\n\r\nBad Request\n");
    buf_done(&out);
}

static void test_chunk_head(void **state)
{
    static const struct {
        size_t len;
        const char *text;
    } cases[] = {
        {1, "1\r\n"},
        {15, "f\r\n"},
        {16, "10\r\n"},
        {0x1a2b, "1a2b\r\n"},
        {SIZE_MAX, "ffffffffffffffff\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[HTTP_CHUNK_HEAD_MAX];
        assert_int_equal(http_chunk_head(out, cases[i].len), strlen(cases[i].text));
        assert_memory_equal(out, cases[i].text, strlen(cases[i].text));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_styles),
        cmocka_unit_test(test_bad),        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_own_reason), cmocka_unit_test(test_large),
        cmocka_unit_test(test_error),      cmocka_unit_test(test_chunk_head),
        cmocka_unit_test(test_withdraw),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
