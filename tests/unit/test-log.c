/* SPDX-License-Identifier: MIT */
/* Lines of the log, as they arrive on descriptor 2. */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "unit.h"

#define STAMP_LEN 23 /* "2026-01-31 12:00:00.123" */

static int reset(void **state)
{
    (void)state;
    log_set_subject("%s", "");
    log_set_max_level(LOG_INFO);
    return 0;
}

/* Replaces the time in front of each line of @text, which must be one, by "T". */
static void cut_stamps(char *text)
{
    static const char shape[] = "dddd-dd-dd dd:dd:dd.ddd";
    char *out = text;

    for (const char *in = text; *in;) {
        for (size_t i = 0; i < STAMP_LEN; i++, in++)
            assert_true(shape[i] == 'd' ? *in >= '0' && *in <= '9' : *in == shape[i]);
        *out++ = 'T';
        size_t len = strcspn(in, "\n") + 1;
        assert_int_equal(in[len - 1], '\n');
        memmove(out, in, len);
        in += len;
        out += len;
    }
    *out = '\0';
}

static void assert_logged(const char *expected)
{
    _cleanup_free_ char *text = unit_end_capture();

    cut_stamps(text);
    assert_string_equal(text, expected);
}

static void test_lines(void **state)
{
    (void)state;
    unit_begin_capture();
    log_info("worker %d serves", 3);
    log_set_subject("vassal %s", "a.ini");
    log_warning("slow");
    log_error("broken");
    log_text(LOG_INFO, "from elsewhere", 14);
    assert_logged("T worker 3 serves\n"
                  "T [vassal a.ini] warning: slow\n"
                  "T [vassal a.ini] error: broken\n"
                  "T [vassal a.ini] from elsewhere\n");
    assert_string_equal(log_subject(), "vassal a.ini");
}

/* A traceback carries the vassal's name on each line. */
static void test_several_lines(void **state)
{
    (void)state;
    log_set_subject("a");
    unit_begin_capture();
    log_error("one\ntwo\n\nthree\n");
    log_text(LOG_INFO, "no end", 2);
    log_text(LOG_INFO, "", 0);
    assert_logged(
        "T [a] error: one\nT [a] error: two\nT [a] error: \nT [a] error: three\nT [a] no\n");
}

static void test_errno(void **state)
{
    int r = 0;

    (void)state;
    unit_begin_capture();
    r |= log_errno(LOG_ERR, -ENOENT, "bind %s", "/x") != -ENOENT;
    r |= log_errno(LOG_WARNING, ENOENT, "bind") != -ENOENT;
    r |= log_errno(LOG_DEBUG, -EPERM, "not shown") != -EPERM;
    assert_logged("T error: bind /x: No such file or directory\n"
                  "T warning: bind: No such file or directory\n");
    assert_int_equal(r, 0);
}

static void test_levels(void **state)
{
    (void)state;
    assert_false(log_enabled(LOG_DEBUG));
    assert_true(log_enabled(LOG_INFO));
    unit_begin_capture();
    log_debug("1");
    log_set_max_level(LOG_DEBUG);
    log_debug("2");
    log_set_max_level(LOG_ERR);
    log_warning("3");
    log_text(LOG_INFO, "4", 1);
    log_error("5");
    assert_logged("T debug: 2\nT error: 5\n");
}

/* A line is one write and never longer than it may be; what is too long is cut, not wrapped. */
static void test_long_line(void **state)
{
    _cleanup_free_ char *text = calloc(1, 10000);
    int fds[2];
    char line[9000];

    (void)state;
    memset(text, 'x', 9999);
    assert_int_equal(fd_socketpair(SOCK_SEQPACKET, fds), 0); /* a packet is a write */
    _cleanup_close_ int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    log_error("%s", text);
    log_text(LOG_INFO, text, 9999);
    (void)log_errno(LOG_ERR, -ENOENT, "%s", text);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(recv(fds[0], line, sizeof(line), MSG_DONTWAIT), 4096);
        assert_int_equal(line[4095], '\n');
        assert_int_equal(line[4094], 'x');
    }
    assert_int_equal(recv(fds[0], line, sizeof(line), MSG_DONTWAIT), -1);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_long_subject(void **state)
{
    char subject[1000];

    (void)state;
    memset(subject, 's', sizeof(subject) - 1);
    subject[sizeof(subject) - 1] = '\0';
    log_set_subject("%s", subject);
    assert_int_equal(strlen(log_subject()), 255);
    unit_begin_capture();
    log_info("what happened");
    _cleanup_free_ char *text = unit_end_capture();
    assert_non_null(strstr(text, "] what happened\n"));
}

/* What clients bring about fills no disk; how much was left out is said. */
static void test_limit(void **state)
{
    struct log_limit l = {0};
    unsigned n = 0;

    (void)state;
    for (int i = 0; i < 1000; i++)
        n += log_limit_allows(&l, 5 * US_PER_SEC + 1);
    assert_int_equal(n, LOG_LIMIT_LINES);
    assert_int_equal(l.n_kept, 1000 - LOG_LIMIT_LINES);
    assert_true(log_limit_allows(&l, 6 * US_PER_SEC));
    assert_int_equal(l.n_kept, 0);
}

static void take_line(const char *lines, size_t len, void *data)
{
    (void)snprintf(data, 64, "%.*s", (int)len, lines);
}

static void test_writer(void **state)
{
    char taken[64] = "";

    (void)state;
    unit_begin_capture();
    log_set_writer(take_line, taken);
    log_info("to the writer");
    log_set_writer(NULL, NULL);
    log_info("to the descriptor");
    _cleanup_free_ char *text = unit_end_capture();
    cut_stamps(text);
    cut_stamps(taken);
    assert_string_equal(taken, "T to the writer\n");
    assert_string_equal(text, "T to the descriptor\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lines, reset),
        cmocka_unit_test_setup(test_writer, reset),
        cmocka_unit_test_setup(test_several_lines, reset),
        cmocka_unit_test_setup(test_errno, reset),
        cmocka_unit_test_setup(test_levels, reset),
        cmocka_unit_test_setup(test_long_line, reset),
        cmocka_unit_test_setup(test_long_subject, reset),
        cmocka_unit_test_setup(test_limit, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
