/* SPDX-License-Identifier: MIT */
/* What a sink may be called, and the datagrams that the journal gets. The test is the journal: it
 * connects the sink's socket to its own. */
#include "instance/log-sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unit.h"

static void test_settings(void **state)
{
    static const struct {
        const char *text;
        int result;
    } cases[] = {
        {"file:/tmp/log", 0}, {"/tmp/log", 0},      {"syslog", 0},        {"syslog:shop", 0},
        {"journald", 0},      {"journald:shop", 0}, {"stdio", 0},         {"journald:", -EINVAL},
        {"syslog:", -EINVAL}, {"file:", -EINVAL},   {"journal", -EINVAL}, {"journaldshop", -EINVAL},
        {"", -EINVAL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char reason[512] = "";

        if (log_sink_check(cases[i].text, reason, sizeof(reason)) != cases[i].result)
            fail_msg("'%s': %s", cases[i].text, reason);
        assert_int_equal(*reason != '\0', cases[i].result < 0);
        if (cases[i].result < 0)
            assert_non_null(strstr(reason, "journald, journald:NAME"));
    }
}

/* A sink for @setting whose datagrams come out of the descriptor that is returned. */
static int connect_sink(struct log_sink *s, const char *setting)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    socklen_t len = sizeof(sa.sun_family); /* the kernel finds a name: unix(7) */
    struct errmsg err = {""};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (log_sink_open(s, setting, NULL, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    len = sizeof(sa);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
    assert_int_equal(connect(s->fd, (struct sockaddr *)&sa, len), 0);
    return fd;
}

/* Lines that could not be written. */
static size_t n_lost(struct log_sink *s, const char *lines, size_t len)
{
    size_t taken = 0, n = log_sink_write(s, lines, len, &taken);

    assert_int_equal(taken, n > 0 ? 0 : len);
    return n;
}

static void assert_received(int fd, const char *expected)
{
    char text[4096];

    unit_wait_readable(fd);
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
    assert_in_range(n, 1, sizeof(text) - 1);
    text[n] = '\0';
    assert_string_equal(text, expected);
}

#define HEAD "SYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=liege\n"

static const struct {
    const char *line, *sent;
} lines[] = {
    {"2026-11-26 10:00:00.123 [shop.ini worker 1] error: no",
     "PRIORITY=3\n" HEAD
     "LIEGE_SUBJECT=shop.ini worker 1\nMESSAGE=[shop.ini worker 1] error: no\n"},
    {"2026-11-26 10:00:00.123 [shop.ini] warning: [x] y",
     "PRIORITY=4\n" HEAD "LIEGE_SUBJECT=shop.ini\nMESSAGE=[shop.ini] warning: [x] y\n"},
    {"2026-11-26 10:00:00.123 starts", "PRIORITY=6\n" HEAD "MESSAGE=starts\n"},
    {"2026-11-26 10:00:00.123 ", "PRIORITY=6\n" HEAD "MESSAGE=\n"},
    {"2026-11-26 10:00:00.123 [", "PRIORITY=6\n" HEAD "MESSAGE=[\n"},
    {"2026-11-26 10:00:00.123 [] x", "PRIORITY=6\n" HEAD "MESSAGE=[] x\n"},
    {"2026-11-26T10:00:00.123 [a] x",
     "PRIORITY=6\n" HEAD "MESSAGE=2026-11-26T10:00:00.123 [a] x\n"},
    {"[a] GET /", "PRIORITY=6\n" HEAD "MESSAGE=[a] GET /\n"},
    {"", "PRIORITY=6\n" HEAD "MESSAGE=\n"},
};

static void test_each_line_is_an_entry(void **state)
{
    struct log_sink s;
    int fd = connect_sink(&s, "journald");
    char all[1024] = "";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        size_t used = strlen(all);
        (void)snprintf(all + used, sizeof(all) - used, "%s\n", lines[i].line);
    }
    assert_int_equal(n_lost(&s, all, strlen(all)), 0);
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_received(fd, lines[i].sent);
    log_sink_close(&s);
    (void)close(fd);
}

/* Names and subjects are cut or left out, never more than there is room for. */
static void test_long_names(void **state)
{
    char setting[256] = "journald:", line[1024] = "2026-11-26 10:00:00.123 [";
    char expected[2048];
    struct log_sink s;

    (void)state;
    memset(setting + 9, 'n', 100);
    memset(line + 25, 's', 255);
    memcpy(line + 280, "] x", 4);
    int fd = connect_sink(&s, setting);
    (void)snprintf(expected, sizeof(expected),
                   "PRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=%.64s\n"
                   "LIEGE_SUBJECT=%.255s\nMESSAGE=%s\n",
                   setting + 9, line + 25, line + 24);
    assert_int_equal(n_lost(&s, line, strlen(line)), 0);
    assert_received(fd, expected);

    memcpy(line + 280, "s] x", 5);
    (void)snprintf(expected, sizeof(expected),
                   "PRIORITY=6\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=%.64s\nMESSAGE=%s\n",
                   setting + 9, line + 24);
    assert_int_equal(n_lost(&s, line, strlen(line)), 0);
    assert_received(fd, expected);
    log_sink_close(&s);
    (void)close(fd);
}

/* The descriptor that comes with an empty datagram. */
static int receive_file(int fd)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    char byte = 0;
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes)};
    int file = -1;

    unit_wait_readable(fd);
    assert_int_equal(recvmsg(fd, &msg, MSG_CMSG_CLOEXEC), 0);
    assert_non_null(CMSG_FIRSTHDR(&msg));
    assert_int_equal(control.align.cmsg_type, SCM_RIGHTS);
    memcpy(&file, CMSG_DATA(&control.align), sizeof(file));
    return file;
}

static void test_what_is_too_large_is_a_sealed_file(void **state)
{
    static char line[256 * 1024], text[sizeof(line) + 1024];
    const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    const char head[] = "PRIORITY=6\n" HEAD "MESSAGE=";
    struct log_sink s;
    int fd = connect_sink(&s, "journald"), size = 4096;
    size_t n_fds = unit_count_fds();

    (void)state;
    assert_int_equal(setsockopt(s.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
    memset(line, 'x', sizeof(line));
    assert_int_equal(n_lost(&s, line, sizeof(line)), 0);
    assert_int_equal(unit_count_fds(), n_fds);
    _cleanup_close_ int file = receive_file(fd);
    assert_int_equal(fcntl(file, F_GET_SEALS), seals);
    assert_int_equal(pread(file, text, sizeof(text), 0), strlen(head) + sizeof(line) + 1);
    assert_memory_equal(text, head, strlen(head));
    assert_memory_equal(text + strlen(head), line, sizeof(line));
    assert_int_equal(text[strlen(head) + sizeof(line)], '\n');

    assert_int_equal(n_lost(&s, "small\n", 6), 0);
    assert_received(fd, "PRIORITY=6\n" HEAD "MESSAGE=small\n");
    log_sink_close(&s);
    (void)close(fd);
}

static void test_nobody_listens(void **state)
{
    struct log_sink s;
    int fd = connect_sink(&s, "journald");

    (void)state;
    (void)close(fd);
    if (access("/run/systemd/journal/socket", F_OK) != 0)
        assert_int_equal(n_lost(&s, "lost\n", 5), 1);
    log_sink_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_each_line_is_an_entry),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_what_is_too_large_is_a_sealed_file),
        cmocka_unit_test(test_nobody_listens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
