/* SPDX-License-Identifier: MIT */
/* What is an address, what is not, and how addresses are shown. */
#include "base/addr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static const struct {
    const char *text;
    const char *shown;
    int family;
} good[] = {
    {"127.0.0.1:8080", "127.0.0.1:8080", AF_INET},
    {":8080", "0.0.0.0:8080", AF_INET},
    {"*:80", "0.0.0.0:80", AF_INET},
    {"localhost:1", "127.0.0.1:1", AF_INET},
    {"10.0.0.1:65535", "10.0.0.1:65535", AF_INET},
    {"127.0.0.1:0", "127.0.0.1:0", AF_INET},
    {"[::1]:80", "[::1]:80", AF_INET6},
    {"[::]:8080", "[::]:8080", AF_INET6},
    {"[2001:DB8::1]:443", "[2001:db8::1]:443", AF_INET6},
    {"/run/app.sock", "/run/app.sock", AF_UNIX},
    {"relative.sock", "relative.sock", AF_UNIX},
    {"/run/with:colon", "/run/with:colon", AF_UNIX},
    {"@abstract", "@abstract", AF_UNIX},
    {"@abstract:80", "@abstract:80", AF_UNIX},
};

static void test_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct errmsg err = {""};
        struct addr a;
        char shown[128];

        if (addr_parse(good[i].text, &a, &err) != 0)
            fail_msg("%s: %s", good[i].text, err.text);
        assert_int_equal(a.fd, -1);
        assert_int_equal(a.sa.any.sa_family, good[i].family);
        assert_string_equal(addr_format(&a.sa.any, a.len, shown, sizeof(shown)), good[i].shown);
    }
}

static const char *const bad[] = {
    "",
    "@",
    ":",
    "127.0.0.1:",
    "127.0.0.1:65536",
    "127.0.0.1:-1",
    ":+1",
    ": 1",
    ":80x",
    "256.0.0.1:80",
    "1.2.3:80",
    "::1:80",
    "[::1]",
    "[::1:80",
    "[]:80",
    "[::1]x:80",
    "[127.0.0.1]:80",
    "[fe80::1%lo]:80",
    "app.org:80",
    "fd://",
    "fd://99999999",
    "a b c d:80",
    ":1:2:3:4:5",
    "LOCALHOST.X:800",
};

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct errmsg err = {""};
        struct addr a = {.fd = 77};

        if (addr_parse(bad[i], &a, &err) != -EINVAL)
            fail_msg("'%s' was not refused", bad[i]);
        assert_non_null(strstr(err.text, "accepted are"));
        assert_int_equal(a.fd, 77);
    }
}

/* An abstract name has no byte more than was written; a path has room for its terminator. */
static void test_lengths(void **state)
{
    const size_t max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
    struct errmsg err = {""};
    char text[200], shown[200];
    struct addr a;

    (void)state;
    memset(text, 'x', sizeof(text));
    text[max] = '\0';
    assert_int_equal(addr_parse(text, &a, &err), 0);
    assert_string_equal(addr_format(&a.sa.any, a.len, shown, sizeof(shown)), text);
    text[0] = '@';
    assert_int_equal(addr_parse(text, &a, &err), 0);
    assert_int_equal(a.len, offsetof(struct sockaddr_un, sun_path) + max);
    assert_string_equal(addr_format(&a.sa.any, a.len, shown, sizeof(shown)), text);

    text[max] = 'x';
    text[max + 1] = '\0';
    assert_int_equal(addr_parse(text, &a, &err), -ENAMETOOLONG);
    assert_non_null(strstr(err.text, "at most 107 bytes"));
    memset(text, '1', sizeof(text));
    memcpy(text + 100, ":80", 4);
    assert_int_equal(addr_parse(text, &a, &err), -EINVAL);
}

static void test_paths(void **state)
{
    static const struct {
        const char *text, *path;
    } cases[] = {{"/run/a", "/run/a"}, {"a.sock", "a.sock"}, {"@a", NULL},
                 {":80", NULL},        {"[::]:80", NULL},    {"fd://3", NULL}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *path = NULL;
        struct addr a;

        assert_int_equal(addr_parse(cases[i].text, &a, NULL), 0);
        assert_int_equal(addr_path(&a, &path), cases[i].path != NULL);
        if (cases[i].path)
            assert_string_equal(path, cases[i].path);
    }
}

static void test_descriptor(void **state)
{
    struct addr a;

    (void)state;
    assert_int_equal(addr_parse("fd://3", &a, NULL), 0);
    assert_int_equal(a.fd, 3);
    assert_int_equal(addr_parse("fd://0", &a, NULL), 0);
    assert_int_equal(a.fd, 0);
}

/* What are no digits is the name of a descriptor that was passed: test-listen-fds.c. */
static void test_named_descriptor(void **state)
{
    static const char *const names[] = {"fd://-1", "fd://3x", "fd:///3", "fd://0x3", "fd://web"};
    char pid[16];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct errmsg err = {""};
        struct addr a = {.fd = 77};

        assert_int_equal(addr_parse(names[i], &a, &err), -ENOENT);
        assert_non_null(strstr(err.text, names[i] + strlen("fd://")));
        assert_int_equal(a.fd, 77);
    }
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    assert_int_equal(setenv("LISTEN_PID", pid, 1), 0);
    assert_int_equal(setenv("LISTEN_FDS", "5", 1), 0);
    assert_int_equal(setenv("LISTEN_FDNAMES", "-1:3x:/3:0x3:web", 1), 0);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct addr a;

        assert_int_equal(addr_parse(names[i], &a, NULL), 0);
        assert_int_equal(a.fd, 3 + i);
    }
    assert_int_equal(unsetenv("LISTEN_PID"), 0);
}

/* What getpeername(2) says of a client that has no name, and a buffer that is too small. */
static void test_format_corners(void **state)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    struct addr a;
    char shown[128];

    (void)state;
    (void)addr_format((struct sockaddr *)&un, sizeof(sa_family_t), shown, sizeof(shown));
    assert_string_equal(shown, "");
    assert_int_equal(addr_parse("127.0.0.1:8080", &a, NULL), 0);
    assert_string_equal(addr_format(&a.sa.any, a.len, shown, 10), "127.0.0.1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),           cmocka_unit_test(test_bad),
        cmocka_unit_test(test_lengths),        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_descriptor),     cmocka_unit_test(test_named_descriptor),
        cmocka_unit_test(test_format_corners),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
