/* SPDX-License-Identifier: MIT */
/* Which descriptor has which name, whom it was passed to, and what is said when there is none. */
#include "base/listen-fds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

static void set(const char *name, const char *value)
{
    assert_int_equal(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

static void set_pid(pid_t pid)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%d", (int)pid);
    set("LISTEN_PID", text);
}

static int tear_down(void **state)
{
    (void)state;
    set("LISTEN_PID", NULL);
    set("LISTEN_FDS", NULL);
    set("LISTEN_FDNAMES", NULL);
    return 0;
}

static const struct {
    const char *n, *names, *wanted;
    int result;
    const char *said;
} cases[] = {
    {"1", "web", "web", 3, NULL},
    {"3", "web:admin:tls", "web", 3, NULL},
    {"3", "web:admin:tls", "admin", 4, NULL},
    {"3", "web:admin:tls", "tls", 5, NULL},
    {"3", "::tls", "tls", 5, NULL},
    {"2", "web:web.socket", "web", 3, NULL},
    {"2", "web.socket:web", "web", 4, NULL},
    {"2", "web:admin", "we", -ENOENT, "there are: fd://3 (web), fd://4 (admin)"},
    {"2", "web:admin", "webb", -ENOENT, "called 'webb'"},
    {"2", "web:admin", "", -ENOENT, "there are: fd://3 (web), fd://4 (admin)"},
    {"1", "web:admin", "admin", -ENOENT, "there are: fd://3 (web)"},
    {"3", "web", "admin", -ENOENT, "there are: fd://3 (web), fd://4, fd://5"},
    {"2", NULL, "web", -ENOENT, "there are: fd://3, fd://4"},
    {"3", "web:admin:web", "web", -ENOTUNIQ, "say one of fd://3, fd://5"},
    {"3", "web:admin:web", "admin", 4, NULL},
    {"0", "", "web", -ENOENT, "nor any other"},
    {NULL, NULL, "web", -ENOENT, "nor any other"},
    {"x", "web", "web", -ENOENT, "nor any other"},
    {"-1", "web", "web", -ENOENT, "nor any other"},
    {"99999999999999999999", "web", "web", -ENOENT, "nor any other"},
};

static void test_find(void **state)
{
    (void)state;
    set_pid(getpid());
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct errmsg err = {""};

        set("LISTEN_FDS", cases[i].n);
        set("LISTEN_FDNAMES", cases[i].names);
        if (listen_fds_find(cases[i].wanted, &err) != cases[i].result)
            fail_msg("case %zu: %s", i, err.text);
        if (cases[i].said && !strstr(err.text, cases[i].said))
            fail_msg("case %zu: said was: %s", i, err.text);
        assert_int_equal(*err.text != '\0', cases[i].result < 0);
    }
}

/* As many as there may be, with names that do not fit into a sentence. */
static void test_many(void **state)
{
    static char names[1024 * 101];
    struct errmsg err = {""};

    (void)state;
    set_pid(getpid());
    set("LISTEN_FDS", "1024");
    memset(names, 'n', sizeof(names) - 1);
    for (size_t i = 1; i < 1024; i++)
        names[i * 101 - 1] = ':';
    memcpy(names + 1023 * 101, "last", 5);
    set("LISTEN_FDNAMES", names);
    assert_int_equal(listen_fds_find("last", &err), 3 + 1023);
    assert_int_equal(listen_fds_find("web", &err), -ENOENT);
    names[100] = '\0';
    char *twice = strdup(names);
    assert_non_null(twice);
    names[100] = ':';
    assert_int_equal(listen_fds_find(twice, &err), -ENOTUNIQ);
    free(twice);
}

static void test_for_somebody_else(void **state)
{
    struct errmsg err = {""};

    (void)state;
    set("LISTEN_FDS", "1");
    set("LISTEN_FDNAMES", "web");
    static const char *const pids[] = {"1", "", "x"};
    for (size_t i = 0; i < COUNT_OF(pids); i++) {
        set("LISTEN_PID", pids[i]);
        assert_int_equal(listen_fds_find("web", &err), -ENOENT);
        assert_non_null(strstr(err.text, "LISTEN_PID is '"));
    }
    set("LISTEN_PID", NULL);
    assert_int_equal(listen_fds_find("web", &err), -ENOENT);
    assert_non_null(strstr(err.text, "nor any other"));
}

static void test_inherit(void **state)
{
    struct errmsg err = {""};

    (void)state;
    assert_int_equal(listen_fds_inherit(getppid()), 0);
    assert_null(getenv("LISTEN_PID"));
    set("LISTEN_FDS", "2");
    set("LISTEN_FDNAMES", "web:admin");
    set_pid(getppid());
    assert_int_equal(listen_fds_inherit(1 << 22), 0);
    assert_int_equal(listen_fds_find("admin", &err), -ENOENT);
    assert_int_equal(listen_fds_inherit(getppid()), 0);
    assert_int_equal(listen_fds_find("admin", &err), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_find, tear_down),
        cmocka_unit_test_teardown(test_many, tear_down),
        cmocka_unit_test_teardown(test_for_somebody_else, tear_down),
        cmocka_unit_test_teardown(test_inherit, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
