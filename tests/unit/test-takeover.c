/* SPDX-License-Identifier: MIT */
/* What one master hands to another arrives whole; what does not fit is refused. */
#include "instance/takeover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "ipc/message.h"
#include "unit.h"

static int channel[2];
static struct listeners sent, received;
static struct queue queue, got;
static struct errmsg err;
static size_t n_open_fds; /* before the test */

static void add(const char *text, uint32_t id)
{
    struct sock_file file = {.dev = 5, .ino = id};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && listen(fd, 1) == 0);
    assert_int_equal(listeners_adopt(&sent, text, fd, id, &file, true, &err), 0);
}

static int set_up(void **state)
{
    (void)state;
    n_open_fds = unit_count_fds();
    sent = received = (struct listeners){.n_items = 0};
    got = (struct queue){.give_fd = -EBADF, .take_fd = -EBADF, .board_fd = -EBADF};
    err.text[0] = '\0';
    int r = queue_open(&queue);
    return r < 0 ? r : message_socketpair(channel);
}

static int tear_down(void **state)
{
    (void)state;
    listeners_release(&sent);
    listeners_release(&received);
    queue_close(&queue);
    queue_close(&got);
    closep(&channel[0]);
    closep(&channel[1]);
    assert_int_equal(unit_count_fds(), n_open_fds);
    return 0;
}

static int receive(pid_t *ret_pid)
{
    return takeover_receive(channel[1], &received, &got, ret_pid, &err);
}

static void test_all(void **state)
{
    const struct iovec iov = {.iov_base = (void *)"entry", .iov_len = 5};
    int fds[QUEUE_MAX_FDS] = {-EBADF, -EBADF};
    char bytes[10];
    size_t n_fds = 0;
    pid_t pid = 0;

    (void)state;
    add("127.0.0.1:80", 3);
    add("/run/app.sock", 9);
    sent.items[0]->given = true;
    sent.items[0]->number = 0;
    assert_int_equal(takeover_send(channel[0], &sent, &queue), 0);
    assert_int_equal(receive(&pid), 0);
    assert_int_equal(pid, getpid());
    assert_int_equal(received.n_items, 2);
    assert_string_equal(received.items[1]->text, "/run/app.sock");
    assert_int_equal(received.items[1]->id, 9);
    assert_int_equal(received.items[1]->file.ino, 9);
    assert_int_equal(received.items[1]->file.dev, 5);
    assert_true(received.items[1]->vacuum && received.items[1]->shared);
    assert_int_not_equal(received.items[0]->fd, sent.items[0]->fd);
    assert_true(received.items[0]->given && !received.items[1]->given);
    assert_true(received.items[0]->number == 0 && received.items[1]->number == -1);

    assert_int_equal(queue_give(&got, &iov, 1, &channel[0], 1), 0);
    assert_int_equal(atomic_load(&queue.board->depth), 1);
    assert_int_equal(queue_take(&queue, bytes, sizeof(bytes), fds, &n_fds), 5);
    closep(&fds[0]);
}

/* A queue of another meaning is left alone: the new master makes its own. */
static void test_other_queue(void **state)
{
    const struct message other = {.type = TAKEOVER_QUEUE,
                                  .value = TAKEOVER_QUEUE_VERSION + 1,
                                  .fds = {queue.give_fd, queue.take_fd, queue.board_fd},
                                  .n_fds = 3};
    const struct message end = {.type = TAKEOVER_END, .value = 77};
    pid_t pid = 0;

    (void)state;
    assert_int_equal(message_send(channel[0], &other), 0);
    assert_int_equal(message_send(channel[0], &end), 0);
    assert_int_equal(receive(&pid), 0);
    assert_int_equal(pid, 77);
    assert_null(got.board);
}

/* clang-format off */
static const struct {
    struct message message;
    int n_fds; /* of standard input */
} refused[] = {
    {{.type = TAKEOVER_SERVES}, 0},
    {{.type = 99}, 0},
    {{.type = TAKEOVER_LISTENER}, 0},
    {{.type = TAKEOVER_LISTENER, .data = "short", .len = 5}, 1},
    {{.type = TAKEOVER_LISTENER, .data = "0123456789012345678901234567890\0", .len = 32}, 1},
    {{.type = TAKEOVER_QUEUE, .value = TAKEOVER_QUEUE_VERSION}, 2},
    {{.type = TAKEOVER_QUEUE, .value = TAKEOVER_QUEUE_VERSION}, 3},
};
/* clang-format on */

static void test_refusals(void **state)
{
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        struct message m = refused[i].message;
        pid_t pid = 0;

        m.n_fds = (size_t)refused[i].n_fds;
        assert_int_equal(message_send(channel[0], &m), 0);
        assert_true(receive(&pid) < 0);
        assert_non_null(strstr(err.text, "cannot take over from the old master"));
        tear_down(state);
        assert_int_equal(set_up(state), 0);
    }
    closep(&channel[0]); /* the old one has died in the middle of it */
    channel[0] = -1;
    pid_t pid = 0;
    assert_true(receive(&pid) < 0);
}

static void test_find(void **state)
{
    char text[16];
    int fd = 0;

    (void)state;
    assert_int_equal(unsetenv(TAKEOVER_ENV_FD), 0);
    assert_int_equal(takeover_find(&fd, &err), 0);
    assert_int_equal(fd, -1);
    (void)snprintf(text, sizeof(text), "%d", channel[1]);
    assert_int_equal(setenv(TAKEOVER_ENV_FD, text, 1), 0);
    assert_int_equal(takeover_find(&fd, &err), 0);
    assert_int_equal(fd, channel[1]);
    assert_null(getenv(TAKEOVER_ENV_FD));
    static const char *const bad[] = {"", "x", "-1", "1x", "99999", "0"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(setenv(TAKEOVER_ENV_FD, bad[i], 1), 0);
        assert_int_equal(takeover_find(&fd, &err), -EBADF);
    }
}

/* Of the names of what a service manager passed: here both ends are ours. */
static void test_names(void **state)
{
    char pid[16];

    (void)state;
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    assert_int_equal(setenv("LISTEN_PID", pid, 1), 0);
    assert_int_equal(setenv("LISTEN_FDS", "1", 1), 0);
    assert_int_equal(takeover_inherit_names(channel[1]), 0);
    assert_string_equal(getenv("LISTEN_PID"), pid);
    assert_int_equal(setenv("LISTEN_PID", "1", 1), 0);
    assert_int_equal(takeover_inherit_names(channel[1]), 0);
    assert_string_equal(getenv("LISTEN_PID"), "1");
    assert_int_equal(takeover_inherit_names(-1), -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_queue, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_find, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
