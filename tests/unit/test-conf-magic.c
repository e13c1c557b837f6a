/* SPDX-License-Identifier: MIT */
/* Magic variables: the whole table, and what is no variable. */
#include "conf/magic.h"

#include <ctype.h>
#include <string.h>

#include "conf-fixture.h"

static const struct magic_file first = {
    .spec = "app1.ini",
    .path = "/tmp/w/conf/u/d1/d2/app1.ini",
    .section = "uwsgi",
    .inode = 4711,
};
static const struct magic_file included = {
    .spec = "../skel/base.tpl.ini", .path = "/srv/skel/base.tpl.ini", .section = "x", .inode = 42};
static const struct magic_file at_root = {.spec = "a", .path = "/a", .section = ""};

static const struct magic magic = {
    .file = &included,
    .first = &first,
    .cwd = "/srv/vassals",
    .binary = "/usr/bin/liege",
    .version = "1.2.3",
    .now = {1700000000, 42},
};

static const struct {
    const char *text, *expanded;
    char unknown;
} cases[] = {
    {"", "", 0},
    {"plain", "plain", 0},
    {"%o|%O", "../skel/base.tpl.ini|app1.ini", 0},
    {"%p|%P", "/srv/skel/base.tpl.ini|/tmp/w/conf/u/d1/d2/app1.ini", 0},
    {"%s|%S", "base.tpl.ini|app1.ini", 0},
    {"%d|%D", "/srv/skel/|/tmp/w/conf/u/d1/d2/", 0},
    {"%e|%E", "ini|ini", 0},
    {"%n|%N", "base.tpl|app1", 0},
    {"%c|%C", "skel|d2", 0},
    {"%x|%X", "x|uwsgi", 0},
    {"%i|%I", "42|4711", 0},
    {"%J", "5694C0FA", 0}, /* as uWSGI 2.0.21 prints for this path */
    {"%v|%V|%b", "/srv/vassals|1.2.3|/usr/bin/liege", 0},
    {"%t|%T", "1700000000|1700000000000042", 0},
    {"%0|%1|%2|%9", "srv|skel||", 0},
    {"%[[31m", "\033[31m", 0},
    {"100%% of %%n", "100% of %n", 0},
    {"%(name) %%(name)", "%(name) %(name)", 0},
    {"100%", "100%", 0},
    {"a%qb%Qc", "a%qb%Qc", 'q'},
    {"%Y-%m-%d", "%Y-%m-/srv/skel/", 'Y'},
    {"%\xc3\xa9", "%\xc3\xa9", '\xc3'},
};

static void assert_expands(const struct magic *m, const char *text, const char *expanded,
                           char unknown)
{
    struct buf out = {0};
    char found = 'x';

    assert_int_equal(magic_expand(m, text, &out, &found), 0);
    assert_int_equal(buf_append(&out, "", 1), 0);
    assert_string_equal(buf_at(&out), expanded);
    assert_int_equal(found, unknown);
    buf_done(&out);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_expands(&magic, cases[i].text, cases[i].expanded, cases[i].unknown);
}

static void test_at_root(void **state)
{
    struct magic m = magic;

    (void)state;
    m.file = &at_root;
    assert_expands(&m, "%d|%c|%n|%e|%0", "/||a||", 0);
}

/* What depends on the machine: that there is something of the right kind. */
static void test_machine(void **state)
{
    struct buf out = {0};
    char unknown = 0;

    (void)state;
    assert_int_equal(magic_expand(&magic, "%k%u%g", &out, &unknown), 0);
    assert_true(buf_len(&out) >= 3);
    for (size_t i = out.start; i < out.end; i++)
        assert_true(isdigit((unsigned char)out.data[i]));
    buf_consume(&out, buf_len(&out));
    for (const char *letter = "hUG"; *letter; letter++) {
        const char text[] = {'%', *letter, '\0'};
        size_t before = buf_len(&out);
        assert_int_equal(magic_expand(&magic, text, &out, &unknown), 0);
        assert_true(buf_len(&out) > before);
        assert_int_equal(unknown, 0);
    }
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_at_root),
        cmocka_unit_test(test_machine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
