/* SPDX-License-Identifier: MIT */
/* The log of a vassal: what is passed on and what is kept, whatever the pieces it comes in. */
#include "unit-loop.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "emperor/vassal-log.h"

/* A vassal whose log goes to a pipe of ours. */
struct bench {
    struct log_out out;
    struct vassal_log log;
    int vassal_fd; /* the vassal writes here */
    int read_fd;   /* the Emperor's log is read here */
};

/* Rounds of the loop that are still to come. */
struct rounds {
    struct loop_task task;
    int left;
};

static void count_round(struct loop_task *t)
{
    struct rounds *r = container_of(t, struct rounds, task);

    if (r->left-- == 0)
        loop_stop(unit_loop, 1);
    else
        loop_task_queue(unit_loop, t);
}

/* What is there to be done is done. */
static void turn(void)
{
    struct rounds r = {.left = 3};

    loop_task_init(&r.task, count_round);
    loop_task_queue(unit_loop, &r.task);
    assert_int_equal(unit_run_loop(), 1);
}

static void open_pipe(struct bench *b)
{
    int fds[2] = {-1, -1};

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fd_set_nonblock(fds[0], true), 0);
    assert_int_equal(vassal_log_open(&b->log, fds[0]), 0);
    b->vassal_fd = fds[1];
}

static void begin(struct bench *b)
{
    int fds[2] = {-1, -1};

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    assert_int_equal(fd_set_nonblock(fds[0], true), 0);
    assert_int_equal(log_out_open(&b->out, unit_loop, fds[1]), 0);
    assert_int_equal(close(fds[1]), 0);
    b->read_fd = fds[0];
    vassal_log_init(&b->log, unit_loop, &b->out);
    open_pipe(b);
}

static void end(struct bench *b)
{
    vassal_log_close(&b->log);
    vassal_log_done(&b->log);
    log_out_close(&b->out, 0);
    (void)close(b->read_fd);
    closep(&b->vassal_fd);
}

static void say(const struct bench *b, const char *text)
{
    assert_int_equal(write(b->vassal_fd, text, strlen(text)), strlen(text));
}

/* What has come out since the last call. */
static const char *passed(const struct bench *b, char *text, size_t size)
{
    ssize_t n = read(b->read_fd, text, size - 1);

    text[MAX(n, 0)] = '\0';
    return text;
}

/* The lines from @pos on, together. */
static const char *kept(const struct bench *b, uint64_t pos, char *text, size_t size)
{
    uint64_t missed = 0;
    size_t len = 0, n = 0;

    while ((n = vassal_log_line(&b->log, &pos, text + len, size - 1 - len, &missed)) > 0)
        len += n;
    text[len] = '\0';
    return text;
}

static void test_whole_lines_are_passed_on(void **state)
{
    struct bench b;
    char text[256];

    (void)state;
    begin(&b);
    assert_null(b.log.ring);
    say(&b, "one\ntwo");
    turn();
    assert_string_equal(passed(&b, text, sizeof(text)), "one\n");
    assert_string_equal(kept(&b, 0, text, sizeof(text)), "one\n");
    say(&b, "2\nthree");
    turn();
    assert_string_equal(passed(&b, text, sizeof(text)), "two2\n");
    vassal_log_close(&b.log);
    assert_string_equal(passed(&b, text, sizeof(text)), "three\n");
    assert_string_equal(kept(&b, 0, text, sizeof(text)), "one\ntwo2\nthree\n");
    end(&b);
}

static void test_the_last_lines_outlive_a_process(void **state)
{
    struct bench b;
    char text[256];

    (void)state;
    begin(&b);
    say(&b, "first life\n");
    vassal_log_close(&b.log);
    closep(&b.vassal_fd);
    open_pipe(&b);
    say(&b, "second life\nand more\n");
    turn();
    static const struct {
        size_t n;
        const char *lines;
    } cases[] = {
        {0, ""},
        {1, "and more\n"},
        {2, "second life\nand more\n"},
        {3, "first life\nsecond life\nand more\n"},
        {1000, "first life\nsecond life\nand more\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(kept(&b, vassal_log_last(&b.log, cases[i].n), text, sizeof(text)),
                            cases[i].lines);
    end(&b);
}

static void test_a_long_line_comes_in_pieces(void **state)
{
    struct bench b;
    char text[3 * VASSAL_LOG_LINE_MAX], big[2 * VASSAL_LOG_LINE_MAX];

    (void)state;
    memset(big, 'x', sizeof(big));
    big[sizeof(big) - 1] = '\0';
    begin(&b);
    say(&b, big);
    turn();
    assert_string_equal(passed(&b, text, sizeof(text)), big);
    say(&b, "end\n");
    turn();
    assert_string_equal(passed(&b, text, sizeof(text)), "end\n");
    end(&b);
}

/* Many times what the ring holds, in pieces that end anywhere. */
static void test_the_ring_has_the_last_lines(void **state)
{
    struct bench b;
    char line[32], text[64];
    uint64_t pos = 0, missed = 0;

    (void)state;
    begin(&b);
    for (int i = 0; i < 20000; i++) {
        (void)snprintf(line, sizeof(line), "line %d\n", i);
        say(&b, line);
        if (i % 997 == 0) {
            turn();
            while (*passed(&b, text, sizeof(text)))
                ;
        }
    }
    turn();
    size_t n = vassal_log_line(&b.log, &pos, text, sizeof(text), &missed);
    assert_true(missed > 0 && pos == missed + n);
    assert_memory_equal(text, "line ", 5);
    assert_true(pos >= b.log.head - VASSAL_LOG_BYTES);
    assert_string_equal(kept(&b, vassal_log_last(&b.log, 2), text, sizeof(text)),
                        "line 19998\nline 19999\n");
    end(&b);
}

/* Nobody reads the Emperor's log: nothing waits, what is kept is bounded, the rest is counted. */
static void test_a_log_that_nobody_reads(void **state)
{
    struct bench b;
    static char lines[10000 * 10 + 1];
    char text[65536];
    size_t n_lines = 0;
    const char *said = NULL;

    (void)state;
    begin(&b);
    for (size_t i = 0; i < 10000; i++)
        memcpy(lines + i * 10, "123456789\n", 11);
    for (int i = 0; i < 30; i++)
        log_out_write(&b.out, lines, sizeof(lines) - 1);
    assert_true(buf_len(&b.out.pending) <= LOG_OUT_PENDING_BYTES);
    assert_true(b.out.n_lost > 0);
    for (int i = 0; i < 200 && !said; i++) {
        turn();
        said = strstr(passed(&b, text, sizeof(text)), " lines are missing here");
        for (const char *at = text; (at = strchr(at, '\n')); at++)
            n_lines++;
    }
    assert_non_null(said);
    turn();
    for (const char *at = passed(&b, text, sizeof(text)); (at = strchr(at, '\n')); at++)
        n_lines++;
    assert_int_equal(n_lines - 1 + b.out.n_lost, 300000);
    assert_int_equal(buf_len(&b.out.pending), 0);
    end(&b);
}

/* As systemd gives it to a service. */
static void test_a_log_that_is_a_socket(void **state)
{
    int fds[2] = {-1, -1};
    struct log_out out;
    static char lines[1000 * 10];
    char text[10];

    (void)state;
    for (size_t i = 0; i < sizeof(lines); i += 10)
        memcpy(lines + i, "123456789\n", 10);
    assert_int_equal(fd_socketpair(SOCK_STREAM, fds), 0);
    assert_int_equal(log_out_open(&out, unit_loop, fds[1]), 0);
    for (int i = 0; i < 400; i++)
        log_out_write(&out, lines, sizeof(lines));
    assert_true(out.n_lost > 0 && buf_len(&out.pending) <= LOG_OUT_PENDING_BYTES);
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(read(fds[0], text, sizeof(text)), sizeof(text));
        assert_memory_equal(text, "123456789\n", sizeof(text));
    }
    log_out_close(&out, 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_a_log_whose_reader_is_gone(void **state)
{
    struct bench b;

    (void)state;
    proc_catch_sigpipe();
    begin(&b);
    assert_int_equal(close(b.read_fd), 0);
    log_out_write(&b.out, "x\n", 2);
    assert_int_equal(buf_len(&b.out.pending), 0);
    b.read_fd = -1;
    end(&b);
}

static void test_what_a_program_before_has_begun_is_no_more_than_a_line(void **state)
{
    static char begun[4 * VASSAL_LOG_LINE_MAX];
    struct bench b;

    (void)state;
    begin(&b);
    memset(begun, 'x', sizeof(begun));
    vassal_log_restore(&b.log, begun, sizeof(begun), sizeof(begun));
    assert_int_equal(b.log.head - b.log.passed, VASSAL_LOG_LINE_MAX);
    say(&b, "y\n");
    turn();
    assert_int_equal(read(b.read_fd, begun, sizeof(begun)), VASSAL_LOG_LINE_MAX + 2);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole_lines_are_passed_on, unit_make_loop,
                                        unit_free_loop),
        cmocka_unit_test_setup_teardown(test_the_last_lines_outlive_a_process, unit_make_loop,
                                        unit_free_loop),
        cmocka_unit_test_setup_teardown(test_a_long_line_comes_in_pieces, unit_make_loop,
                                        unit_free_loop),
        cmocka_unit_test_setup_teardown(test_the_ring_has_the_last_lines, unit_make_loop,
                                        unit_free_loop),
        cmocka_unit_test_setup_teardown(test_what_a_program_before_has_begun_is_no_more_than_a_line,
                                        unit_make_loop, unit_free_loop),
        cmocka_unit_test_setup_teardown(test_a_log_that_nobody_reads, unit_make_loop,
                                        unit_free_loop),
        cmocka_unit_test_setup_teardown(test_a_log_that_is_a_socket, unit_make_loop,
                                        unit_free_loop),
        cmocka_unit_test_setup_teardown(test_a_log_whose_reader_is_gone, unit_make_loop,
                                        unit_free_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
