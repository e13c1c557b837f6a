/* SPDX-License-Identifier: MIT */
/* Texts for a vassal that reads slowly, does not read, closes, or answers what nobody asked. */
#include "emperor/config-push.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "unit-loop.h"

#define LARGE (5U << 20)

/* The vassal: a reader in the same loop. */
static struct {
    struct loop_io io;
    unsigned char *data;
    size_t n, stop_at; /* it closes, or says garbage, when it has that much */
    bool answers, closes, keeps;
    const char *garbage;
} vassal;

static struct config_push push;
static enum config_push_event events[16];
static int errors[16];
static size_t n_events, wanted_events;

static void on_event(struct config_push *p, enum config_push_event event, int error)
{
    assert_ptr_equal(p, &push);
    assert_true(n_events < COUNT_OF(events));
    events[n_events] = event;
    errors[n_events++] = error;
    if (n_events == wanted_events)
        loop_stop(unit_loop, 0);
}

static void close_vassal(void)
{
    if (vassal.io.fd < 0)
        return;
    loop_io_remove(unit_loop, &vassal.io);
    (void)close(vassal.io.fd);
    vassal.io.fd = -1;
}

static void take(const struct config_pipe_head *head, size_t n)
{
    unsigned char answer[CONFIG_PIPE_HEAD_BYTES];
    size_t len = config_pipe_write_taken(head->len, answer);

    memmove(vassal.data, vassal.data + n, vassal.n - n);
    vassal.n -= n;
    if (vassal.answers)
        assert_int_equal(write(vassal.io.fd, answer, len), len);
}

static void on_vassal(struct loop_io *io, uint32_t which)
{
    struct config_pipe_head head = {.len = 0};
    ssize_t n = read(io->fd, vassal.data + vassal.n, 70000);

    (void)which;
    if (n <= 0) {
        close_vassal();
        return;
    }
    vassal.n += (size_t)n;
    if (vassal.stop_at > 0 && vassal.n >= vassal.stop_at) {
        if (vassal.garbage)
            assert_true(write(io->fd, vassal.garbage, 12) == 12);
        vassal.stop_at = 0;
        if (vassal.closes)
            close_vassal();
        return;
    }
    int r = config_pipe_parse_head(vassal.data, vassal.n, &head);
    if (r > 0 && vassal.n >= (size_t)r + head.len && !vassal.keeps)
        take(&head, (size_t)r + head.len);
}

static int set_up(void **state)
{
    const int small = 4096;
    int fds[2];

    n_events = wanted_events = 0;
    assert_int_equal(unit_make_loop(state), 0);
    assert_int_equal(fd_socketpair(SOCK_STREAM | SOCK_NONBLOCK, fds), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
    config_push_init(&push, on_event);
    assert_int_equal(config_push_open(&push, unit_loop, fds[0]), 0);
    memset(&vassal, 0, sizeof(vassal));
    vassal.io = (struct loop_io){.fd = fds[1], .fn = on_vassal};
    vassal.data = malloc(2 * LARGE);
    assert_non_null(vassal.data);
    vassal.answers = true;
    assert_int_equal(loop_io_add(unit_loop, &vassal.io, EPOLLIN), 0);
    return 0;
}

static int tear_down(void **state)
{
    config_push_close(&push);
    close_vassal();
    free(vassal.data);
    return unit_free_loop(state);
}

static void run_for(size_t events_wanted)
{
    wanted_events = events_wanted;
    if (n_events < wanted_events)
        assert_int_equal(unit_run_loop(), 0);
}

static char *make_text(size_t len)
{
    char *text = malloc(len + 1);

    assert_non_null(text);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('a' + i * i % 23);
    return text;
}

static void test_sizes(void **state)
{
    static const size_t sizes[] = {0, 1, 65535, 65536, LARGE};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        char *text = make_text(sizes[i]);
        n_events = 0;
        assert_int_equal(config_push_send(&push, text, sizes[i]), 0);
        assert_true(config_push_is_busy(&push));
        free(text);
        run_for(2);
        assert_int_equal(events[0], CONFIG_PUSH_SENT);
        assert_int_equal(events[1], CONFIG_PUSH_TAKEN);
        assert_false(config_push_is_busy(&push));
        assert_int_equal(vassal.n, 0);
    }
    assert_int_equal(config_push_send(&push, "", CONFIG_PIPE_MAX_BYTES + 1U), -EFBIG);
}

/* Byte for byte, with what was asked for meanwhile behind it; of that the last. */
static void test_asked_again(void **state)
{
    char *text = make_text(LARGE);
    const size_t all = CONFIG_PIPE_HEAD_BYTES + LARGE + 4 + 4;

    (void)state;
    vassal.keeps = true;
    assert_int_equal(config_push_send(&push, "old", 3), 0);
    assert_int_equal(config_push_send(&push, text, LARGE), 0); /* nothing has been sent yet */
    assert_true(config_push_has_waiting(&push));
    while (push.n_sent == 0)
        push.io.fn(&push.io, EPOLLOUT);
    assert_false(config_push_has_waiting(&push));
    assert_int_equal(config_push_send(&push, "lost", 4), 0);
    assert_true(config_push_has_waiting(&push));
    assert_int_equal(config_push_send(&push, "last", 4), 0);
    run_for(1);
    assert_int_equal(events[0], CONFIG_PUSH_SENT);
    while (vassal.n < all)
        on_vassal(&vassal.io, EPOLLIN);
    assert_int_equal(vassal.n, all);
    assert_memory_equal(vassal.data, "s\10\0\1\0\0\120\0\0\0\0\0", 12);
    assert_memory_equal(vassal.data + 12, text, LARGE);
    assert_memory_equal(vassal.data + 12 + LARGE, "s\4\0\0last", 8);
    free(text);
}

static void test_never_reads(void **state)
{
    char *text = make_text(LARGE);

    (void)state;
    loop_io_remove(unit_loop, &vassal.io);
    assert_int_equal(config_push_send(&push, text, LARGE), 0);
    for (int i = 0; i < 100; i++)
        push.io.fn(&push.io, EPOLLOUT);
    assert_true(config_push_is_busy(&push));
    assert_int_equal(n_events, 0);
    config_push_close(&push);
    assert_int_equal(config_push_send(&push, text, LARGE), -EPIPE);
    assert_int_equal(loop_io_add(unit_loop, &vassal.io, EPOLLIN), 0);
    free(text);
}

static void test_closes(void **state)
{
    char *text = make_text(LARGE);

    (void)state;
    vassal.stop_at = 1 << 20;
    vassal.closes = true;
    assert_int_equal(config_push_send(&push, text, LARGE), 0);
    run_for(1);
    assert_int_equal(events[0], CONFIG_PUSH_CLOSED);
    assert_true(errors[0] == -EPIPE || errors[0] == -ECONNRESET);
    assert_int_equal(push.io.fd, -1);
    free(text);
}

static void test_closes_when_idle(void **state)
{
    (void)state;
    close_vassal();
    run_for(1);
    assert_int_equal(events[0], CONFIG_PUSH_CLOSED);
    assert_int_equal(errors[0], 0);
}

static void test_garbage(void **state)
{
    static const char *const garbage[] = {
        "GET / HTTP/1",
        "s\10\0\2\7\0\0\0\0\0\0\0",
        "s\10\0\1\5\0\0\0\0\0\0\0",
        "s\5\0\0helloxxx",
    };

    for (size_t i = 0; i < COUNT_OF(garbage); i++) {
        n_events = 0;
        vassal.stop_at = 4 + 5;
        vassal.garbage = garbage[i];
        assert_int_equal(config_push_send(&push, "hello", 5), 0);
        run_for(2);
        assert_int_equal(events[0], CONFIG_PUSH_SENT);
        assert_int_equal(events[1], CONFIG_PUSH_CLOSED);
        assert_int_equal(errors[1], -EPROTO);
        assert_int_equal(tear_down(state), 0);
        assert_int_equal(set_up(state), 0);
    }
    /* An answer to what was never sent. */
    assert_int_equal(write(vassal.io.fd, "s\10\0\2\0\0\0\0\0\0\0\0", 12), 12);
    run_for(1);
    assert_int_equal(errors[0], -EPROTO);
}

/* A vassal of uWSGI's does not answer; one of ours may be late. */
static void test_answers(void **state)
{
    (void)state;
    vassal.answers = false;
    for (size_t i = 1; i < 4; i++) {
        assert_int_equal(config_push_send(&push, "hello", i), 0);
        run_for(i);
        assert_int_equal(events[i - 1], CONFIG_PUSH_SENT);
    }
    assert_int_equal(write(vassal.io.fd, "s\10\0\2\2\0\0\0\0\0\0\0", 12), 12);
    assert_int_equal(write(vassal.io.fd, "s\10\0\2\3\0\0\0\0\0\0\0", 12), 12);
    run_for(4);
    assert_int_equal(events[3], CONFIG_PUSH_TAKEN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sizes),   TEST(test_asked_again),      TEST(test_never_reads),
        TEST(test_closes),  TEST(test_closes_when_idle), TEST(test_garbage),
        TEST(test_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
