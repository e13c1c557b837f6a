/* SPDX-License-Identifier: MIT */
/* Hooks: what each action does, and what is refused. */
#include "base/hook.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "unit.h"

static char folder[sizeof(UNIT_FOLDER)];
static struct errmsg err;

static int set_up(void **state)
{
    (void)state;
    unit_make_folder(folder);
    err.text[0] = '\0';
    return chdir(folder);
}

static int tear_down(void **state)
{
    (void)state;
    if (chdir("/") < 0)
        return -1;
    unit_remove_folder(folder);
    return 0;
}

/* clang-format off */
static const struct {
    const char *hook;
    const char *said; /* NULL: it is good */
} checked[] = {
    { "exec:true",          NULL },
    { "!exec:true",         NULL },
    { "exec:a:b c",         NULL },
    { "exit",               NULL },
    { "exit:3",             NULL },
    { "write:file two words", NULL },
    { "putenv:A=b=c",       NULL },
    { "exec",               "'exec' is to be exec:ARGUMENT" },
    { "exec:",              "is to be exec:ARGUMENT" },
    { "write:file",         "is to be write:ARGUMENT, with two words" },
    { "putenv:A",           "is to be putenv:ARGUMENT, with NAME=VALUE" },
    { "mount:proc /proc",   "is no ACTION:ARGUMENT; actions are append appendn cd" },
    { "execs:true",         "is no ACTION:ARGUMENT" },
    { "exe:true",           "is no ACTION:ARGUMENT" },
    { "",                   "'' is no ACTION:ARGUMENT" },
    { "!",                  "is no ACTION:ARGUMENT" },
    { ":x",                 "is no ACTION:ARGUMENT" },
};
/* clang-format on */

static void test_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(checked); i++) {
        char reason[64] = ""; /* shorter than the list of actions */
        int r = hook_check(checked[i].hook, reason, sizeof(reason));
        assert_int_equal(r, checked[i].said ? -EINVAL : 0);
        if (checked[i].said && !strstr(reason, "is "))
            fail_msg("'%s': %s", checked[i].hook, reason);
    }
    for (size_t i = 0; i < COUNT_OF(checked); i++) {
        char reason[512] = "";
        (void)!hook_check(checked[i].hook, reason, sizeof(reason));
        if (checked[i].said && !strstr(reason, checked[i].said))
            fail_msg("'%s': %s", checked[i].hook, reason);
    }
}

static void must_do(const char *hook)
{
    if (hook_do(hook, &err) != 0)
        fail_msg("%s: %s", hook, err.text);
}

static void must_hold(const char *file, const char *text)
{
    _cleanup_free_ char *found = NULL;
    size_t len = 0;

    assert_int_equal(file_read_all(file, 4096, &found, &len), 0);
    assert_string_equal(found, text);
}

static void test_files(void **state)
{
    struct stat st;

    (void)state;
    must_do("create:f");
    must_hold("f", "");
    must_do("write:f a b");
    must_hold("f", "a b");
    must_do("append:f c");
    must_do("appendn:f d e");
    must_hold("f", "a bcd e\n");
    must_do("writen:f x");
    must_hold("f", "x\n");
    must_do("chmod:f 640");
    assert_int_equal(stat("f", &st), 0);
    assert_int_equal(st.st_mode & ALLPERMS, 0640);
    must_do("unlink:f");
    assert_int_equal(access("f", F_OK), -1);
    assert_int_equal(hook_do("unlink:f", &err), -ENOENT);
    assert_string_equal(err.text, "f: No such file or directory");
    assert_int_equal(hook_do("chmod:f 9", &err), -EINVAL);
    assert_string_equal(err.text, "f: '9' is no mode");

    must_do("mkdir:d");
    must_do("mkdir:d"); /* is there */
    must_do("sticky:d");
    assert_int_equal(stat("d", &st), 0);
    assert_true(st.st_mode & S_ISVTX);
    must_do("cd:d");
    must_do("create:f");
    must_do("chdir:..");
    must_do("unlink:d/f");
    assert_int_equal(rmdir("d"), 0);
}

/* Nobody is waited for. */
static void test_fifo(void **state)
{
    (void)state;
    assert_int_equal(mkfifo("p", 0600), 0);
    assert_int_equal(hook_do("writefifo:p x", &err), -ENXIO);
    assert_int_equal(hook_do("writefifo:none x", &err), -ENOENT);
    assert_int_equal(access("none", F_OK), -1);
}

static void test_commands(void **state)
{
    (void)state;
    must_do("putenv:LIEGE_TEST_HOOK=a=b");
    must_do("exec:echo \"$LIEGE_TEST_HOOK\" > f");
    must_hold("f", "a=b\n");
    assert_int_equal(hook_do("exec:exit 3", &err), -EIO);
    assert_string_equal(err.text, "the command exited with code 3");
    assert_int_equal(hook_do("!exec:kill -9 $$", &err), -EIO);
    assert_string_equal(err.text, "the command was killed by signal 9 (Killed)");
    assert_int_equal(hook_do("safeexec:exit 3", &err), 1);
    must_do("safeexec:true");
    assert_int_equal(unsetenv("LIEGE_TEST_HOOK"), 0);
}

static void leave(void *data)
{
    (void)!hook_do(data, &err);
}

static void test_exit(void **state)
{
    char with_code[] = "exit:7", without[] = "exit";

    (void)state;
    assert_int_equal(unit_run_child(leave, with_code), 7);
    assert_int_equal(unit_run_child(leave, without), 0);
}

static void test_words(void **state)
{
    char shown[64];

    (void)state;
    unit_begin_capture();
    must_do("print:all is well");
    _cleanup_free_ char *said = unit_end_capture();
    assert_non_null(strstr(said, "all is well\n"));
    assert_string_equal(hook_show("exec:secret", shown, sizeof(shown)), "exec:secret");
    assert_string_equal(hook_show("!exec:secret", shown, sizeof(shown)), "exec");
    assert_int_equal(hook_do("nothing:x", &err), -EINVAL);
}

#define HOOK_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOOK_TEST(test_check),    HOOK_TEST(test_files), HOOK_TEST(test_fifo),
        HOOK_TEST(test_commands), HOOK_TEST(test_exit),  HOOK_TEST(test_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
