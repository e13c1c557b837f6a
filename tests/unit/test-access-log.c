/* SPDX-License-Identifier: MIT */
/* Lines of the access log: whatever a client sends, a request is one line and the quotes stay
 * quotes. */
#include "worker/access-log.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "unit-loop.h"

#define STAMP_LEN 20 /* "2026-01-31 12:00:00 " */
#define STR(text) ((struct liege_str){(text), sizeof(text) - 1})

static struct liege_str str(const char *text)
{
    return (struct liege_str){text, strlen(text)};
}

static struct liege_request get(const char *target)
{
    return (struct liege_request){
        .method = STR("GET"),
        .target = str(target),
        .protocol = STR("HTTP/1.1"),
        .remote_addr = STR("127.0.0.1"),
    };
}

static const struct worker_conf plain;

/* What one request leaves, without the time stamp. */
static char *log_one(const char *name, const struct liege_request *req)
{
    struct access_log l;
    struct access_entry e = {
        .req = req, .name = name, .status = 200, .bytes = 13, .duration_us = 1234567};
    struct errmsg err = {""};

    assert_int_equal(access_log_init(&l, unit_loop, &plain, &err), 0);
    unit_begin_capture();
    access_log_add(&l, &e);
    access_log_flush(&l);
    char *text = unit_end_capture();
    access_log_done(&l);
    size_t len = strlen(text);
    assert_true(len > STAMP_LEN);
    memmove(text, text + STAMP_LEN, len - STAMP_LEN + 1);
    return text;
}

static const struct {
    const char *target, *written;
} cases[] = {
    {"/index.html?a=b&c", "/index.html?a=b&c"},
    {"/\"", "/\\x22"},
    {"/\\", "/\\x5c"},
    {"/\r\n2026 forged", "/\\x0d\\x0a2026 forged"},
    {"/\x1b[31m", "/\\x1b[31m"},
    {"/\x7f\x01\t", "/\\x7f\\x01\\x09"},
    {"/\xc3\xa9", "/\xc3\xa9"},
    {"/%0a", "/%0a"},
    {"", ""},
};

static void test_escape(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct liege_request req = get(cases[i].target);
        _cleanup_free_ char *text = log_one("app", &req);
        char expected[256];

        (void)snprintf(expected, sizeof(expected),
                       "app 127.0.0.1 \"GET %s HTTP/1.1\" 200 13 1234.567ms\n", cases[i].written);
        assert_string_equal(text, expected);
    }
}

static void test_method_and_nul(void **state)
{
    struct liege_request req = get("/");

    (void)state;
    req.method = STR("G\"\nT");
    req.target = STR("/\0x");
    _cleanup_free_ char *text = log_one("app", &req);
    assert_string_equal(text,
                        "app 127.0.0.1 \"G\\x22\\x0aT /\\x00x HTTP/1.1\" 200 13 1234.567ms\n");
}

/* No name, and a client on a UNIX socket. */
static void test_dashes(void **state)
{
    struct liege_request req = get("/");

    (void)state;
    req.remote_addr = (struct liege_str){0};
    _cleanup_free_ char *text = log_one("", &req);
    assert_string_equal(text, "- - \"GET / HTTP/1.1\" 200 13 1234.567ms\n");
}

/* Long ones are cut, and the rest of the line is there all the same. */
static void test_long_target(void **state)
{
    static const char fills[] = {'a', '\n'};
    char target[9000];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(fills); i++) {
        memset(target, fills[i], sizeof(target) - 1);
        target[sizeof(target) - 1] = '\0';
        struct liege_request req = get(target);
        req.method = req.target;
        _cleanup_free_ char *text = log_one("app", &req);
        assert_true(strlen(text) < 1200);
        assert_non_null(strstr(text, " HTTP/1.1\" 200 13 1234.567ms\n"));
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    }
}

static void test_disabled(void **state)
{
    struct access_log l;
    const struct worker_conf none = {.disable_logging = true, .json_log = true};
    struct errmsg err = {""};

    (void)state;
    assert_int_equal(access_log_init(&l, unit_loop, &none, &err), 0);
    assert_false(access_log_enabled(&l));
    unit_begin_capture();
    access_log_flush(&l);
    _cleanup_free_ char *text = unit_end_capture();
    assert_string_equal(text, "");
}

static void on_stop(struct loop_task *t)
{
    (void)t;
    loop_stop(unit_loop, 0);
}

/* The lines of a round are written together at its end, in pieces that stay whole in a pipe. */
static void test_pieces(void **state)
{
    struct access_log l;
    struct loop_task stop;
    const struct liege_request req = get("/some/path/that/is/not/very/short");
    struct access_entry e = {.req = &req, .name = "app", .status = 404};
    struct errmsg err = {""};
    char piece[2 * PIPE_BUF];
    int fds[2];
    size_t n_lines = 0, n_pieces = 0;

    (void)state;
    assert_int_equal(access_log_init(&l, unit_loop, &plain, &err), 0);
    assert_int_equal(fd_socketpair(SOCK_SEQPACKET | SOCK_NONBLOCK, fds), 0);
    _cleanup_close_ int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    for (int i = 0; i < 100; i++)
        access_log_add(&l, &e);
    loop_task_init(&stop, on_stop);
    loop_task_queue(unit_loop, &stop);
    int r = unit_run_loop();
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(r, 0);

    for (;; n_pieces++) {
        ssize_t n = recv(fds[0], piece, sizeof(piece), 0);
        if (n < 0)
            break;
        assert_true(n <= PIPE_BUF);
        assert_int_equal(piece[n - 1], '\n');
        for (ssize_t i = 0; i < n; i++)
            n_lines += piece[i] == '\n';
    }
    assert_int_equal(n_lines, 100);
    assert_true(n_pieces > 1 && n_pieces < 5);
    access_log_done(&l);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

#define LOG_TEST(fn) cmocka_unit_test_setup_teardown(fn, unit_make_loop, unit_free_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(test_escape),      LOG_TEST(test_method_and_nul), LOG_TEST(test_dashes),
        LOG_TEST(test_long_target), LOG_TEST(test_disabled),       LOG_TEST(test_pieces),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
