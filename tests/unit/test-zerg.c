/* SPDX-License-Identifier: MIT */
/* Sockets from instance to instance: what is sent arrives, and what is something else is refused
 * and leaves nothing open. */
#include "ipc/zerg.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "unit.h"

#define SHORT_US (20 * US_PER_MS)

static int ends[2];
static size_t n_open_fds;

static int set_up(void **state)
{
    (void)state;
    n_open_fds = unit_count_fds();
    return fd_socketpair(SOCK_STREAM, ends);
}

static int tear_down(void **state)
{
    (void)state;
    closep(&ends[0]);
    closep(&ends[1]);
    assert_int_equal(unit_count_fds(), n_open_fds);
    return 0;
}

static void test_all(void **state)
{
    static const size_t sizes[] = {0, 1, 2, ZERG_MAX_FDS};
    int fds[ZERG_MAX_FDS + 1], got[ZERG_MAX_FDS];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(fds); i++)
        fds[i] = ends[i % 2];
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        assert_int_equal(zerg_send(ends[0], fds, sizes[i]), 0);
        assert_int_equal(zerg_receive(ends[1], SHORT_US, got), sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++) {
            assert_true(fcntl(got[k], F_GETFD) & FD_CLOEXEC);
            assert_int_equal(close(got[k]), 0);
        }
    }
    assert_int_equal(zerg_send(ends[0], fds, COUNT_OF(fds)), -E2BIG);
}

/* The bytes are uWSGI's. */
static void test_bytes(void **state)
{
    const int count = 1;
    char bytes[32];

    (void)state;
    assert_int_equal(zerg_send(ends[0], ends, 1), 0);
    assert_int_equal(recv(ends[1], bytes, sizeof(bytes), 0), 10 + sizeof(int));
    assert_memory_equal(bytes, "uwsgi-zerg", 10);
    assert_memory_equal(bytes + 10, &count, sizeof(count));
}

static void send_message(const char *text, size_t len, size_t n_fds)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 100)];
    } control = {0};
    struct iovec iov = {.iov_base = (void *)text, .iov_len = len};
    struct msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1};

    if (n_fds > 0) {
        hdr.msg_control = control.bytes;
        hdr.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&hdr);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        for (size_t i = 0; i < n_fds; i++)
            memcpy(CMSG_DATA(c) + i * sizeof(int), &ends[0], sizeof(int));
    }
    assert_int_equal(sendmsg(ends[0], &hdr, 0), len);
}

/* clang-format off */
static const struct {
    const char *text;
    size_t len;
    size_t n_fds;
} refused[] = {
    { "uwsgi-zerg\1\0\0\0",     14, 0 },   /* fewer than it says */
    { "uwsgi-zerg\1\0\0\0",     14, 2 },   /* more */
    { "uwsgi-zerg\0\0\0\0",     14, 1 },
    { "uwsgi-zerg\377\377\377\377", 14, 1 }, /* fewer than none */
    { "uwsgi-zerg\144\0\0\0",   14, 100 }, /* more than there is room for */
    { "uwsgi-zerg\1\0\0",       13, 1 },   /* not all of it */
    { "uwsgi-berg\1\0\0\0",     14, 1 },
    { "u",                      1,  1 },
};
/* clang-format on */

static void test_refusals(void **state)
{
    int got[ZERG_MAX_FDS];

    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        send_message(refused[i].text, refused[i].len, refused[i].n_fds);
        assert_int_equal(zerg_receive(ends[1], SHORT_US, got), -EPROTO);
        assert_int_equal(tear_down(state), 0);
        assert_int_equal(set_up(state), 0);
    }
}

static void test_silence(void **state)
{
    uint64_t before_us = clock_now_us();
    int got[ZERG_MAX_FDS];

    (void)state;
    assert_int_equal(zerg_receive(ends[1], SHORT_US, got), -ETIMEDOUT);
    assert_true(clock_now_us() - before_us >= SHORT_US);
    closep(&ends[0]);
    ends[0] = -EBADF;
    assert_int_equal(zerg_receive(ends[1], SHORT_US, got), -EPROTO);
}

static void test_ask(void **state)
{
    static const struct {
        const char *address;
        int error;
        const char *said;
    } cases[] = {
        {"127.0.0.1:80", -EINVAL, "is no UNIX socket"},
        {"fd://0", -EINVAL, "is no UNIX socket"},
        {"", -EINVAL, "an address is missing"},
        {"/nowhere/zerg", -ENOENT, "cannot reach the zerg server at /nowhere/zerg"},
    };
    int got[ZERG_MAX_FDS];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct errmsg err = {""};
        assert_int_equal(zerg_ask(cases[i].address, SHORT_US, got, &err), cases[i].error);
        if (!strstr(err.text, cases[i].said))
            fail_msg("said was: %s", err.text);
    }
}

/* A server that takes the connection and says nothing, then one that does not even take it. */
static void test_deaf_server(void **state)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int got[ZERG_MAX_FDS];
    char name[48];

    (void)state;
    int n = snprintf(name, sizeof(name), "@liege-test-zerg-%d", (int)getpid());
    memcpy(sa.sun_path + 1, name + 1, (size_t)n - 1);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    assert_int_equal(listen(fd, 0), 0);
    for (int i = 0; i < 3; i++) {
        struct errmsg err = {""};
        uint64_t before_us = clock_now_us();
        _cleanup_close_ int waits = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int r = zerg_ask(name, SHORT_US, got, &err);
        assert_true(r == -ETIMEDOUT || r == -EAGAIN);
        assert_true(clock_now_us() - before_us < US_PER_SEC);
        (void)!connect(waits, (struct sockaddr *)&sa, len); /* the backlog is full at some time */
    }
}

#define ZERG_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ZERG_TEST(test_all),     ZERG_TEST(test_bytes), ZERG_TEST(test_refusals),
        ZERG_TEST(test_silence), ZERG_TEST(test_ask),   ZERG_TEST(test_deaf_server),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
