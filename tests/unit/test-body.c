/* SPDX-License-Identifier: MIT */
#include "http/body.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define DIR "/tmp"

/* Byte number @i of the body of these tests: lines of different lengths. */
static char byte_at(size_t i)
{
    if (i % 97 == 96 || i % 1009 == 0)
        return '\n';
    return "abcdefghijklmnopqrstuvwxyz"[i % 26];
}

static char *make_text(size_t len)
{
    char *text = malloc(len > 0 ? len : 1);

    assert_non_null(text);
    for (size_t i = 0; i < len; i++)
        text[i] = byte_at(i);
    return text;
}

static void fill(struct http_body *b, const char *text, size_t len, size_t step)
{
    for (size_t at = 0; at < len; at += step)
        assert_int_equal(http_body_append(b, text + at, MIN(step, len - at)), 0);
    assert_int_equal(http_body_length(b), len);
}

static void check_read(struct http_body *b, const char *text, size_t len, size_t step)
{
    char *out = malloc(step);

    assert_non_null(out);
    assert_int_equal(http_body_seek(b, 0), 0);
    for (size_t at = 0; at < len; at += step) {
        ssize_t want = (ssize_t)MIN(step, len - at);
        assert_int_equal(http_body_read(b, out, step), want);
        assert_memory_equal(out, text + at, (size_t)want);
        assert_int_equal(http_body_tell(b), at + (size_t)want);
    }
    assert_int_equal(http_body_read(b, out, step), 0);
    free(out);
}

static void check_lines(struct http_body *b, const char *text, size_t len, size_t max)
{
    size_t at = 0;

    assert_int_equal(http_body_seek(b, 0), 0);
    for (;;) {
        const char *line = NULL, *newline = memchr(text + at, '\n', len - at);
        size_t want = newline ? (size_t)(newline + 1 - text) - at : len - at;
        ssize_t n = http_body_read_line(b, max, &line);

        assert_int_equal(n, MIN(want, max));
        if (n == 0)
            break;
        assert_memory_equal(line, text + at, (size_t)n);
        at += (size_t)n;
        assert_int_equal(http_body_tell(b), at);
    }
    assert_int_equal(at, len);
}

/* Bodies below, at and above what memory holds, appended and read in pieces of several sizes. */
static void test_read(void **state)
{
    static const size_t lens[] = {0, 1, 99, 100, 101, 250, 5000, 200000};
    static const size_t steps[] = {1, 7, 100, 101, 70000};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lens); i++)
        for (size_t k = lens[i] > 5000 ? 1 : 0; k < COUNT_OF(steps); k++) {
            char *text = make_text(lens[i]);
            struct http_body b;

            http_body_init(&b, 100, DIR);
            fill(&b, text, lens[i], steps[k]);
            assert_int_equal(b.fd >= 0, lens[i] > 100);
            check_read(&b, text, lens[i], steps[k]);
            check_lines(&b, text, lens[i], (size_t)-1);
            check_lines(&b, text, lens[i], 10);
            check_read(&b, text, lens[i], 3333);
            http_body_done(&b);
            free(text);
        }
}

/* Lines longer than the window, in the file and over the border to memory. */
static void test_long_lines(void **state)
{
    size_t len = 300000;
    char *text = malloc(len);
    struct http_body b;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', len);
    text[100] = text[70000] = text[299000] = '\n';
    http_body_init(&b, 4096, DIR);
    fill(&b, text, len, 1000);
    check_lines(&b, text, len, (size_t)-1);
    check_lines(&b, text, len, 65536);
    check_lines(&b, text, len, 4097);
    http_body_done(&b);
    free(text);
}

static void test_seek(void **state)
{
    struct http_body b;
    const char *line = NULL;
    char c = 0;

    (void)state;
    http_body_init(&b, 4, DIR);
    fill(&b, "ab\ncdefgh\ni", 11, 3);
    assert_int_equal(http_body_seek(&b, 4), 0);
    assert_int_equal(http_body_read_line(&b, 100, &line), 6);
    assert_memory_equal(line, "defgh\n", 6);
    assert_int_equal(http_body_seek(&b, 11), 0);
    assert_int_equal(http_body_read(&b, &c, 1), 0);
    assert_int_equal(http_body_read_line(&b, 100, &line), 0);
    assert_int_equal(http_body_seek(&b, 12), -EINVAL);
    assert_int_equal(http_body_tell(&b), 11);
    assert_int_equal(http_body_seek(&b, 10), 0);
    assert_int_equal(http_body_read(&b, &c, 1), 1);
    assert_int_equal(c, 'i');
    assert_int_equal(http_body_seek(&b, 0), 0);
    assert_int_equal(http_body_read_line(&b, 100, &line), 3);
    assert_int_equal(http_body_read_line(&b, 0, &line), 0);
    http_body_done(&b);
}

static void test_reset(void **state)
{
    struct http_body b;
    char *text = make_text(200000);

    (void)state;
    http_body_init(&b, 1 << 20, DIR);
    fill(&b, text, 1000, 1000);
    char *memory = b.memory;
    http_body_reset(&b);
    assert_int_equal(http_body_length(&b), 0);
    assert_ptr_equal(b.memory, memory); /* kept */
    fill(&b, text, 200000, 1000);
    http_body_reset(&b);
    assert_null(b.memory); /* too large to be kept */

    b.memory_max = 100;
    fill(&b, text, 1000, 10);
    assert_true(b.fd >= 0);
    check_lines(&b, text, 1000, (size_t)-1);
    http_body_reset(&b);
    assert_true(b.fd < 0);
    fill(&b, text + 1, 1000, 10);
    check_lines(&b, text + 1, 1000, (size_t)-1); /* nothing of the body before */
    http_body_done(&b);
    free(text);
}

/* The file has no name, and only its owner could open it. */
static void test_file_is_private(void **state)
{
    struct http_body b;
    struct stat st;

    (void)state;
    http_body_init(&b, 1, DIR);
    fill(&b, "abc", 3, 3);
    assert_int_equal(fstat(b.fd, &st), 0);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    http_body_done(&b);
}

/* A body of any kind becomes a file that another one takes over, where it goes on. */
static void test_to_file_and_adopt(void **state)
{
    static const size_t lens[] = {0, 1, 99, 100, 101, 5000};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lens); i++) {
        size_t len = lens[i];
        char *text = make_text(len + 250);
        struct http_body from, to;

        http_body_init(&from, 100, DIR);
        http_body_init(&to, 100, DIR);
        fill(&from, text, len, 7);
        for (int twice = 0; twice < 2; twice++) {
            assert_int_equal(http_body_to_file(&from), 0);
            assert_true(from.fd >= 0);
            assert_int_equal(from.memory_len, 0);
            assert_int_equal(http_body_length(&from), len);
        }
        check_read(&from, text, len, 33);

        http_body_adopt(&to, dup(from.fd), len);
        http_body_done(&from); /* its own descriptor */
        assert_int_equal(http_body_length(&to), len);
        check_read(&to, text, len, 33);
        check_lines(&to, text, len, (size_t)-1);
        assert_int_equal(http_body_append(&to, text + len, 250), 0);
        check_read(&to, text, len + 250, 33);

        int fd = to.fd;
        http_body_reset(&to);
        assert_int_equal(fcntl(fd, F_GETFD), -1);
        fill(&to, text, 50, 50); /* of the file nothing is left */
        check_read(&to, text, 50, 33);
        http_body_done(&to);
        free(text);
    }
}

/* What can be said of a file is said; the body can still be read. */
static void test_no_file(void **state)
{
    struct http_body b;

    (void)state;
    http_body_init(&b, 10, "/nonexistent");
    fill(&b, "abc", 3, 3);
    assert_int_equal(http_body_to_file(&b), -ENOENT);
    check_read(&b, "abc", 3, 3);
    http_body_done(&b);
}

static void test_errors(void **state)
{
    struct rlimit old, small = {.rlim_cur = 1000};
    struct http_body b;
    char *text = make_text(2000);

    (void)state;
    http_body_init(&b, 10, "/nonexistent");
    assert_int_equal(http_body_append(&b, text, 10), 0);
    assert_int_equal(http_body_append(&b, text, 1), -ENOENT);
    http_body_done(&b);

    http_body_init(&b, 10, DIR);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int r = http_body_append(&b, text, 2000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(r, -EFBIG);
    assert_int_equal(http_body_length(&b), 0);

    http_body_reset(&b);
    fill(&b, text, 2000, 2000);
    assert_int_equal(ftruncate(b.fd, 5), 0);
    char out[10];
    assert_int_equal(http_body_read(&b, out, sizeof(out)), -EIO);
    const char *line = NULL;
    assert_int_equal(http_body_read_line(&b, 100, &line), -EIO);
    http_body_done(&b);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),    cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_seek),    cmocka_unit_test(test_reset),
        cmocka_unit_test(test_errors),  cmocka_unit_test(test_file_is_private),
        cmocka_unit_test(test_no_file), cmocka_unit_test(test_to_file_and_adopt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
