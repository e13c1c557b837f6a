/* SPDX-License-Identifier: MIT */
#include "http/url.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/text.h"

static struct liege_str str(const char *text)
{
    return http_str(text, strlen(text));
}

static void check_str(struct liege_str s, const char *want)
{
    assert_int_equal(s.len, strlen(want));
    assert_memory_equal(s.data, want, s.len);
}

static const struct {
    const char *target;
    int result;
    const char *authority, *path, *query;
    bool escaped;
} targets[] = {
    {"/", 0, "", "/", "", false},
    {"/a?b?c", 0, "", "/a", "b?c", false},
    {"/%41?%", 0, "", "/%41", "%", true},
    {"*", 0, "", "*", "", false},
    {"http://a", 0, "a", "", "", false},
    {"http://a?b", 0, "a", "", "b", false},
    {"hTTps://a.b:1/c", 0, "a.b:1", "/c", "", false},
    {"http://[::1]/", 0, "[::1]", "/", "", false},
    {"", -EINVAL, "", "", "", false},
    {"a", -EINVAL, "", "", "", false},
    {"?a", -EINVAL, "", "", "", false},
    {"**", -EINVAL, "", "", "", false},
    {"http:/a", -EINVAL, "", "", "", false},
    {"http://", -EINVAL, "", "", "", false},
    {"http://?a", -EINVAL, "", "", "", false},
    {"http://a@b/", -EINVAL, "", "", "", false},
    {"ws://a/", -EINVAL, "", "", "", false},
    {"/a#", -EINVAL, "", "", "", false},
    {"/a b", -EINVAL, "", "", "", false},
    {"/\x80", -EINVAL, "", "", "", false},
    {"/%", -EINVAL, "", "", "", false},
    {"/%1", -EINVAL, "", "", "", false},
    {"/%1g", -EINVAL, "", "", "", false},
    {"/%00", -EINVAL, "", "", "", false},
    {"/%%41", -EINVAL, "", "", "", false},
};

static void test_targets(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        struct http_target t = {0};
        const char *reason = NULL;

        assert_int_equal(http_target_parse(str(targets[i].target), true, &t, &reason),
                         targets[i].result);
        if (targets[i].result < 0) {
            assert_non_null(reason);
            assert_null(t.path.data);
            continue;
        }
        check_str(t.authority, targets[i].authority);
        check_str(t.path, targets[i].path);
        check_str(t.query, targets[i].query);
        assert_int_equal(t.escaped, targets[i].escaped);
    }
}

static void test_asterisk_is_for_options(void **state)
{
    struct http_target t = {0};
    const char *reason = NULL;

    (void)state;
    assert_int_equal(http_target_parse(str("*"), false, &t, &reason), -EINVAL);
}

static void test_decode(void **state)
{
    static const struct {
        const char *path, *decoded;
    } cases[] = {
        {"/", "/"},
        {"/a%20b", "/a b"},
        {"/%41%5a%7A%2f%ff", "/AZz/\xff"},
        {"/%2541", "/%41"}, /* once */
        {"/%2e%2E/+", "/../+"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char out[32];
        size_t len = http_path_decode(str(cases[i].path), out);
        check_str(http_str(out, len), cases[i].decoded);
    }
}

static void test_hosts(void **state)
{
    static const struct {
        const char *host;
        bool valid;
        const char *name, *port;
    } cases[] = {
        {"", true, "", ""},
        {"a", true, "a", ""},
        {"A_b.c-d~e", true, "A_b.c-d~e", ""},
        {"a:80", true, "a", "80"},
        {"a:", true, "a", ""},
        {"127.0.0.1:65535", true, "127.0.0.1", "65535"},
        {"[::1]", true, "[::1]", ""},
        {"[::ffff:1.2.3.4]:8", true, "[::ffff:1.2.3.4]", "8"},
        {":80", false, NULL, NULL},
        {"a:b", false, NULL, NULL},
        {"a:123456", false, NULL, NULL},
        {"a:1:2", false, NULL, NULL},
        {"a b", false, NULL, NULL},
        {"a%41", false, NULL, NULL},
        {"a,b", false, NULL, NULL},
        {"a/b", false, NULL, NULL},
        {"u@a", false, NULL, NULL},
        {"::1", false, NULL, NULL},
        {"[::1", false, NULL, NULL},
        {"[", false, NULL, NULL},
        {"[]", false, NULL, NULL},
        {"[x]", false, NULL, NULL},
        {"[::1]a", false, NULL, NULL},
        {"\xe9", false, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct liege_str name = {0}, port = {0};

        assert_int_equal(http_host_is_valid(str(cases[i].host)), cases[i].valid);
        if (!cases[i].valid)
            continue;
        http_host_split(str(cases[i].host), &name, &port);
        check_str(name, cases[i].name);
        check_str(port, cases[i].port);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_asterisk_is_for_options),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
