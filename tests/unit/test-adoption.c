/* SPDX-License-Identifier: MIT */
/* What an Emperor and a process that a base has forked for it say to each other: requests whole and
 * broken, answers true and false. */
#include "ipc/adoption.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/strv.h"
#include "ipc/surroundings.h"
#include "unit.h"

/* The Emperor's end, which learns who sends, and the base's. */
static void make_pair(int fds[2])
{
    int on = 1;

    assert_int_equal(fd_socketpair(SOCK_STREAM, fds), 0);
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)), 0);
}

static void test_request_arrives_as_it_was_sent(void **state)
{
    struct adoption_request sent = ADOPTION_REQUEST_NONE, got = ADOPTION_REQUEST_NONE;
    struct errmsg err = {""};
    int fds[2];

    (void)state;
    make_pair(fds);
    assert_int_equal(strv_append(&sent.argv, "liege"), 0);
    assert_int_equal(strv_append(&sent.argv, ""), 0);
    assert_int_equal(strv_append(&sent.argv, "\xff one.ini"), 0);
    sent.fds[ADOPTION_PIPE] = dup(STDIN_FILENO);
    sent.fds[ADOPTION_STATUS] = memfd_create("status", 0);
    assert_int_equal(adoption_send(fds[0], &sent), 0);
    assert_int_equal(adoption_receive(fds[1], &got, &err), 0);
    assert_true(strv_equal(&sent.argv, &got.argv));
    for (size_t i = 0; i < ADOPTION_PART_COUNT; i++)
        assert_int_equal(got.fds[i] >= 0, sent.fds[i] >= 0);
    assert_int_equal(write(got.fds[ADOPTION_STATUS], "x", 1), 1);
    assert_int_equal(lseek(sent.fds[ADOPTION_STATUS], 0, SEEK_END), 1);
    assert_true(fcntl(got.fds[ADOPTION_STATUS], F_GETFD) & FD_CLOEXEC);
    adoption_request_done(&sent);
    adoption_request_done(&got);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_request_that_is_too_long_is_not_sent(void **state)
{
    struct adoption_request sent = ADOPTION_REQUEST_NONE;
    static char text[40000];
    int fds[2];

    (void)state;
    make_pair(fds);
    memset(text, 'a', sizeof(text) - 1);
    assert_int_equal(strv_append(&sent.argv, text), 0);
    assert_int_equal(strv_append(&sent.argv, text), 0);
    assert_int_equal(adoption_send(fds[0], &sent), -E2BIG);
    adoption_request_done(&sent);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_broken_requests_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } cases[] = {
        {"", 0},
        {"#\0\0", 3},
        {"x\4\0\1\2\0ab", 8},
        {"#\4\0\1\2\0ab", 8}, /* no descriptor came */
        {"#\4\0\0\2\0ab", 8}, /* nor is one announced */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct adoption_request got = ADOPTION_REQUEST_NONE;
        struct errmsg err = {""};
        int fds[2];
        make_pair(fds);
        assert_int_equal(write(fds[0], cases[i].bytes, cases[i].n), cases[i].n);
        (void)close(fds[0]);
        assert_int_equal(adoption_receive(fds[1], &got, &err), -EPROTO);
        adoption_request_done(&got);
        (void)close(fds[1]);
    }
}

/* Sends @bytes with one descriptor, as if it were the pipe. */
static void send_with_fd(int fd, const char *bytes, size_t n)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = (void *)bytes, .iov_len = n};
    struct msghdr hdr = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&hdr);
    const int given = STDIN_FILENO;

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &given, sizeof(given));
    assert_int_equal(sendmsg(fd, &hdr, 0), n);
}

static void test_arguments_that_do_not_fit_are_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        int result;
    } cases[] = {
        {"#\4\0\1\2\0ab", 8, 0},
        {"#\4\0\1\3\0ab", 8, -EPROTO},
        {"#\5\0\1\2\0abc", 9, -EPROTO},
        {"#\4\0\1\2\0a\0", 8, -EPROTO},
        {"#\0\0\1", 4, -EPROTO},
        {"#\4\0\3\2\0ab", 8, -EPROTO}, /* one descriptor for two parts */
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct adoption_request got = ADOPTION_REQUEST_NONE;
        struct errmsg err = {""};
        int fds[2];
        make_pair(fds);
        send_with_fd(fds[0], cases[i].bytes, cases[i].n);
        (void)close(fds[0]);
        assert_int_equal(adoption_receive(fds[1], &got, &err), cases[i].result);
        adoption_request_done(&got);
        (void)close(fds[1]);
    }
}

static void test_surroundings_arrive_as_they_were(void **state)
{
    struct surroundings sent = {.nofile = {.rlim_cur = 1024, .rlim_max = RLIM_INFINITY}};
    struct surroundings got = {0};

    (void)state;
    sent.cwd = strdup("/srv/a b");
    assert_int_equal(strv_append(&sent.environ, "A="), 0);
    assert_int_equal(strv_append(&sent.environ, "B=\n\xff"), 0);
    int fd = surroundings_seal(&sent);
    assert_true(fd >= 0);
    assert_int_equal(surroundings_read(fd, &got), 0);
    assert_string_equal(got.cwd, sent.cwd);
    assert_int_equal(got.nofile.rlim_cur, 1024);
    assert_true(got.nofile.rlim_max == RLIM_INFINITY);
    assert_true(strv_equal(&sent.environ, &got.environ));
    (void)close(fd);
    surroundings_done(&sent);
    surroundings_done(&got);
}

static void wait_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    assert_int_equal(poll(&p, 1, 5000), 1);
}

static void test_new_process_is_known_by_its_own_word(void **state)
{
    struct proc proc = PROC_NONE;
    struct errmsg err = {""};
    siginfo_t info = {0};
    int fds[2];

    (void)state;
    make_pair(fds);
    assert_int_equal(adoption_hear(fds[0], &proc, &err), -EAGAIN);
    pid_t child = fork();
    if (child == 0) {
        (void)close(fds[0]);
        _exit(adoption_answer(fds[1]) < 0);
    }
    wait_readable(fds[0]);
    assert_int_equal(adoption_hear(fds[0], &proc, &err), 1);
    assert_int_equal(proc.pid, child);
    wait_readable(proc.pidfd);
    assert_int_equal(proc_reap(&proc, &info), 1);
    assert_int_equal(info.si_status, 0);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_nobody_can_name_another_process(void **state)
{
    struct proc proc = PROC_NONE;
    struct errmsg err = {""};
    int fds[2];

    (void)state;
    make_pair(fds);
    (void)!write(fds[1], "#\10\0\0\3\0pid\1\0001", 12);
    assert_int_equal(adoption_hear(fds[0], &proc, &err), -EPROTO);
    assert_non_null(strstr(err.text, "names process 1"));
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_refusal_comes_with_its_reason(void **state)
{
    struct proc proc = PROC_NONE;
    struct errmsg err = {""};
    int fds[2];

    (void)state;
    make_pair(fds);
    adoption_refuse(fds[1], "no memory");
    assert_int_equal(adoption_hear(fds[0], &proc, &err), -EREMOTEIO);
    assert_string_equal(err.text, "no memory");
    (void)close(fds[1]);
    assert_int_equal(adoption_hear(fds[0], &proc, &err), -ECONNRESET);
    (void)close(fds[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request_arrives_as_it_was_sent),
        cmocka_unit_test(test_request_that_is_too_long_is_not_sent),
        cmocka_unit_test(test_broken_requests_are_refused),
        cmocka_unit_test(test_arguments_that_do_not_fit_are_refused),
        cmocka_unit_test(test_surroundings_arrive_as_they_were),
        cmocka_unit_test(test_new_process_is_known_by_its_own_word),
        cmocka_unit_test(test_nobody_can_name_another_process),
        cmocka_unit_test(test_refusal_comes_with_its_reason),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
