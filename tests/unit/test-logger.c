/* SPDX-License-Identifier: MIT */
/* Lines on their way from a process to a file: the longest are whole, too long ones are counted. */
#include "instance/logger.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "unit-loop.h"

#define LONG_BYTES ((size_t)400000) /* more than six times 64k, the default of buffer-size */

static void on_timer(struct loop_timer *t)
{
    (void)t;
    loop_stop(unit_loop, 0);
}

/* Sends a line of @len bytes, and lets the master's loop take it. */
static void send_line(char letter, size_t len)
{
    struct loop_timer soon = {.fn = on_timer};
    char *line = malloc(len);

    assert_non_null(line);
    memset(line, letter, len - 1);
    line[len - 1] = '\n';
    log_write(line, len);
    free(line);
    loop_timer_set(unit_loop, &soon, clock_now_us() + 10 * US_PER_MS);
    assert_int_equal(unit_run_loop(), 0);
}

static void test_long_lines(void **state)
{
    static char text[4 * LONG_BYTES];
    char path[] = "/tmp/liege-logger-XXXXXX";
    const struct cred nobody = {.set_uid = false};
    struct logger l;
    struct errmsg err = {""};
    char *save = NULL;

    (void)state;
    _cleanup_close_ int fd = mkstemp(path);
    assert_true(fd >= 0);
    const struct instance_conf conf = {.logto = path};
    logger_init(&l);
    assert_int_equal(logger_open(&l, &conf, false, &nobody, &err), 0);
    assert_int_equal(logger_start(&l, unit_loop), 0);
    send_line('a', 100);
    send_line('b', LONG_BYTES);
    send_line('c', LOG_PUT_MAX_BYTES + 1);
    send_line('d', 100);
    assert_int_equal(log_writer_dropped(l.writer), 1);
    send_line('e', 100);
    logger_done(&l);

    ssize_t n = read(fd, text, sizeof(text) - 1);
    (void)unlink(path);
    assert_true(n > 0);
    text[n] = '\0';
    const char *line = strtok_r(text, "\n", &save);
    assert_true(line && line[0] == 'a' && strlen(line) == 99);
    line = strtok_r(NULL, "\n", &save);
    assert_true(line && line[0] == 'b' && strspn(line, "b") == LONG_BYTES - 1);
    line = strtok_r(NULL, "\n", &save);
    /* It is noticed with the next line, before or after that. */
    if (line && line[0] == 'd')
        line = strtok_r(NULL, "\n", &save);
    assert_non_null(line);
    assert_non_null(strstr(line, "1 lines are missing here"));
    line = strtok_r(NULL, "\n", &save);
    if (line && line[0] == 'd')
        line = strtok_r(NULL, "\n", &save);
    assert_true(line && line[0] == 'e' && strlen(line) == 99);
    assert_null(strtok_r(NULL, "\n", &save));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_long_lines, unit_make_loop, unit_free_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
