/* SPDX-License-Identifier: MIT */
/* What a program writes, how it fails, and that it is killed when it takes too long. */
#include "conf/command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

static const char *const environment[] = {"PATH=/usr/bin:/bin", "WORD=hello", NULL};

static int run(const char *script, const char *input, char **ret, size_t *ret_len,
               struct errmsg *err)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    const struct command c = {
        .argv = argv,
        .environ = environment,
        .cwd = "/",
        .input = input,
        .max_bytes = 1 << 20,
        .wait_us = strstr(script, "tail -f") ? 50 * US_PER_MS : 20 * US_PER_SEC,
    };

    *ret = NULL;
    return command_read(&c, ret, ret_len, err);
}

static void test_output(void **state)
{
    static const struct {
        const char *script, *input, *output;
    } cases[] = {
        {"printf %s $WORD", NULL, "hello"},
        {"pwd", NULL, "/\n"},
        {"cat", "from us", "from us"},
        {"cat", NULL, ""},
        {"echo noise >&2; echo good", NULL, "good\n"},
        {"echo soon; (cat; echo late) &", NULL, "soon\nlate\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct errmsg err = {""};
        char *text = NULL;
        size_t len = 0;
        assert_int_equal(run(cases[i].script, cases[i].input, &text, &len, &err), 0);
        assert_string_equal(text, cases[i].output);
        assert_int_equal(len, strlen(text));
        free(text);
    }
}

static void test_much_output(void **state)
{
    struct errmsg err = {""};
    char *text = NULL;
    size_t len = 0;

    (void)state;
    assert_int_equal(run("head -c 1048576 /dev/zero", NULL, &text, &len, &err), 0);
    assert_int_equal(len, 1 << 20);
    assert_int_equal(text[len], '\0');
    free(text);
}

static void test_failures(void **state)
{
    static const struct {
        const char *script, *message;
        int code;
    } cases[] = {
        {"exit 3", "exited with code 3", -EIO},
        {"echo first >&2; printf 'last\\033' >&2; exit 1", "exited with code 1: last?", -EIO},
        {"kill -9 $$", "killed by signal 9 (Killed)", -EIO},
        {"yes", "it writes more than 1048576 bytes", -EFBIG},
        {"tail -f /dev/null", "it did not end within 0.05 s", -ETIME},
        {"yes x | head -c 100000 >&2; echo end >&2; false", "exited with code 1: end", -EIO},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t fds = unit_count_fds(), len = 0;
        struct errmsg err = {""};
        char *text = NULL;
        assert_int_equal(run(cases[i].script, NULL, &text, &len, &err), cases[i].code);
        assert_string_equal(err.text, cases[i].message);
        assert_null(text);
        assert_int_equal(unit_count_fds(), fds);
    }
}

/* A signal that ends us ends the program, and what it has started, first. */
static void run_until_signal(void *fifo)
{
    const char *const argv[] = {"/bin/sh", "-c", "exec >$0; echo x; tail -f /dev/null; true", fifo,
                                NULL};
    const struct command c = {
        .argv = argv, .environ = environment, .max_bytes = 10, .wait_us = 60 * US_PER_SEC};
    struct errmsg err = {""};
    char *text = NULL;
    size_t len = 0;

    proc_reset_signals();
    (void)!command_read(&c, &text, &len, &err);
}

static void test_signal(void **state)
{
    char folder[sizeof(UNIT_FOLDER)], fifo[sizeof(folder) + 8], byte = 0;

    (void)state;
    unit_make_folder(folder);
    (void)snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    struct proc child = unit_start_child(run_until_signal, fifo);
    int fd = open(fifo, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, &byte, 1), 1);
    assert_int_equal(proc_signal(&child, SIGTERM), 0);
    assert_int_equal(unit_wait_child(&child), 128 + SIGTERM);
    while (read(fd, &byte, 1) > 0) /* until nobody has it open any more */
        ;
    (void)close(fd);
    unit_remove_folder(folder);
}

static void test_no_program(void **state)
{
    const char *const argv[] = {"/nowhere/program", NULL};
    const struct command c = {
        .argv = argv, .environ = environment, .max_bytes = 10, .wait_us = 10 * US_PER_SEC};
    struct errmsg err = {""};
    char *text = NULL;
    size_t len = 0;

    (void)state;
    assert_int_equal(command_read(&c, &text, &len, &err), -EIO);
    assert_non_null(strstr(err.text, "cannot start /nowhere/program"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output),     cmocka_unit_test(test_much_output),
        cmocka_unit_test(test_failures),   cmocka_unit_test(test_signal),
        cmocka_unit_test(test_no_program),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
