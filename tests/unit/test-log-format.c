/* SPDX-License-Identifier: MIT */
/* Lines of the access log in an operator's words, and as JSON. */
#include "worker/log-format.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unit.h"

#define STR(text) ((struct liege_str){(text), sizeof(text) - 1})

static const struct liege_field fields[] = {
    {.name = STR("Host"), .value = STR("shop.example"), .id = LIEGE_FIELD_HOST},
    {.name = STR("User-Agent"), .value = STR("curl \"7\""), .id = LIEGE_FIELD_USER_AGENT},
    {.name = STR("X-Trace-Id"), .value = STR("t-1"), .id = LIEGE_FIELD_OTHER},
};
static const struct liege_var vars[] = {
    {.name = STR("REMOTE_USER"), .value = STR("ann")},
};

static struct liege_request request = {
    .method = STR("GET"),
    .target = STR("/a?b=\n"),
    .protocol = STR("HTTP/1.1"),
    .remote_addr = STR("192.0.2.7"),
    .fields = fields,
    .n_fields = COUNT_OF(fields),
    .vars = vars,
    .n_vars = COUNT_OF(vars),
    .body_length = 17,
};
static const struct access_entry entry = {
    .req = &request,
    .name = "shop.ini",
    .worker = 3,
    .status = 201,
    .bytes = 1000,
    .head_bytes = 200,
    .began_us = 1700000000123456,
    .duration_us = 2345678,
};

static const struct {
    const char *format, *line;
} cases[] = {
    {"", ""},
    {"just text", "just text"},
    {"100% of %(method", "100% of %(method"},
    {"%(method) %(uri) %(proto)", "GET /a?b=\\x0a HTTP/1.1"},
    {"%(addr)[%(user)]", "192.0.2.7[ann]"},
    {"%(host) \"%(uagent)\" %(referer)", "shop.example \"curl \\x227\\x22\" -"},
    {"%(var.HTTP_X_TRACE_ID) %(var.REMOTE_USER) %(var.HTTP_NONE)", "t-1 ann -"},
    {"%(status) %(rsize)+%(hsize)=%(size) %(cl)", "201 1000+200=1200 17"},
    {"%(micros) %(msecs) %(secs)", "2345678 2345 2"},
    {"%(time) %(tmsecs) %(tmicros)", "1700000000 1700000000123 1700000000123456"},
    {"%(wid) %(vassal)", "3 shop.ini"},
    {"%(ltime)", "14/Nov/2023:22:13:20 +0000"},
    {"%(ctime)", "Tue Nov 14 22:13:20 2023"},
    {"%(uri)%(uri)", "/a?b=\\x0a/a?b=\\x0a"},
};

static void test_formats(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct log_format f;
        _cleanup_(buf_done) struct buf out = {0};
        struct errmsg err = {""};

        assert_int_equal(log_format_parse(cases[i].format, &f, &err), 0);
        assert_int_equal(log_format_write(&f, &entry, &out), 0);
        assert_int_equal(buf_append(&out, "", 1), 0);
        assert_string_equal(buf_at(&out), cases[i].line);
        log_format_done(&f);
    }
}

static void test_pid(void **state)
{
    struct log_format f;
    _cleanup_(buf_done) struct buf out = {0};
    struct errmsg err = {""};
    char expected[16];

    (void)state;
    (void)snprintf(expected, sizeof(expected), "%d", (int)getpid());
    assert_int_equal(log_format_parse("%(pid)", &f, &err), 0);
    assert_int_equal(log_format_write(&f, &entry, &out), 0);
    assert_int_equal(buf_append(&out, "", 1), 0);
    assert_string_equal(buf_at(&out), expected);
    log_format_done(&f);
}

static void test_refusals(void **state)
{
    static const char *const bad[] = {"%(rss)", "a %(nothing) b", "%()", "%(var.)", "%(uri )"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct log_format f;
        struct errmsg err = {""};

        assert_int_equal(log_format_parse(bad[i], &f, &err), -EINVAL);
        assert_non_null(strstr(err.text, " is no variable of a request"));
    }
}

/* Parses the line of @e, which must be one object. */
static json_t *parse_json(const struct access_entry *e)
{
    _cleanup_(buf_done) struct buf out = {0};
    json_error_t error;

    assert_int_equal(log_format_json(e, &out), 0);
    assert_null(memchr(buf_at(&out), '\n', buf_len(&out)));
    json_t *o = json_loadb(buf_at(&out), buf_len(&out), JSON_ALLOW_NUL, &error);
    if (!o)
        fail_msg("%s in %.*s", error.text, (int)buf_len(&out), buf_at(&out));
    return o;
}

static void assert_text(const json_t *o, const char *key, const char *text)
{
    assert_string_equal(json_string_value(json_object_get(o, key)), text);
}

static void test_json(void **state)
{
    (void)state;
    json_t *o = parse_json(&entry);
    assert_text(o, "vassal", "shop.ini");
    assert_text(o, "addr", "192.0.2.7");
    assert_text(o, "user", "ann");
    assert_text(o, "method", "GET");
    assert_text(o, "uri", "/a?b=\n");
    assert_text(o, "host", "shop.example");
    assert_text(o, "uagent", "curl \"7\"");
    assert_text(o, "referer", "");
    assert_int_equal(json_integer_value(json_object_get(o, "status")), 201);
    assert_int_equal(json_integer_value(json_object_get(o, "micros")), 2345678);
    assert_true(json_real_value(json_object_get(o, "time")) > 1700000000.12 &&
                json_real_value(json_object_get(o, "time")) < 1700000000.13);
    json_decref(o);
}

/* The bytes of a JSON text whose characters are U+0000 to U+00FF. */
static size_t bytes_of(const json_t *text, unsigned char *ret)
{
    const unsigned char *at = (const unsigned char *)json_string_value(text);
    const unsigned char *end = at + json_string_length(text);
    size_t n = 0;

    while (at < end) {
        if (*at < 0x80) {
            ret[n++] = *at++;
        } else {
            ret[n++] = (unsigned char)((at[0] & 0x03) << 6 | (at[1] & 0x3f));
            at += 2;
        }
    }
    return n;
}

/* Whatever the bytes are, they can be had back. */
static void test_json_bytes(void **state)
{
    unsigned char bytes[1024], back[1024];
    struct liege_request req = request;
    struct access_entry e = entry;

    (void)state;
    srand(7); /* NOLINT(cert-msc32-c,cert-msc51-cpp): the same bytes each time */
    e.req = &req;
    for (int round = 0; round < 2000; round++) {
        size_t len = (size_t)rand() % sizeof(bytes); /* NOLINT(cert-msc30-c,cert-msc50-cpp) */
        for (size_t i = 0; i < len; i++)
            bytes[i] = (unsigned char)rand(); /* NOLINT(cert-msc30-c,cert-msc50-cpp) */
        req.target = (struct liege_str){.data = (const char *)bytes, .len = len};
        json_t *o = parse_json(&e);
        assert_int_equal(bytes_of(json_object_get(o, "uri"), back), len);
        assert_memory_equal(back, bytes, len);
        json_decref(o);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formats),    cmocka_unit_test(test_pid),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_bytes),
    };

    (void)setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
