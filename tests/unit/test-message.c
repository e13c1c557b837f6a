/* SPDX-License-Identifier: MIT */
/* Packets of our processes to each other, and packets of somebody who does not play by the rules:
 * whatever comes, no descriptor is left open. */
#include "ipc/message.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "unit.h"

static int pair[2];
static size_t n_fds_before;
static struct message_buffer buffer;

static int set_up(void **state)
{
    (void)state;
    n_fds_before = unit_count_fds();
    return message_socketpair(pair);
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++)
        closep(&pair[i]);
    assert_int_equal(unit_count_fds(), n_fds_before);
    return 0;
}

static void test_round_trip(void **state)
{
    static const size_t sizes[] = {0, 1, 100, MESSAGE_MAX_BYTES};
    char payload[MESSAGE_MAX_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (char)i;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct message out = {.type = 7, .value = 4000000000, .data = payload, .len = sizes[i]};
        struct message in = {.type = 1};

        assert_int_equal(message_send(pair[0], &out), 0);
        assert_int_equal(message_receive(pair[1], &buffer, &in), 1);
        assert_int_equal(in.type, 7);
        assert_int_equal(in.value, 4000000000);
        assert_int_equal(in.len, sizes[i]);
        assert_memory_equal(in.data, payload, sizes[i]);
        assert_int_equal(((const char *)in.data)[in.len], '\0');
        assert_int_equal(in.n_fds, 0);
        assert_int_equal(in.sender, getpid());
        assert_int_equal(message_receive(pair[1], &buffer, &in), -EAGAIN);
        assert_int_equal(in.len, sizes[i]); /* as it was */
    }
}

/* A sentence may be longer than a packet: its end is lost, not the message. */
static void test_long_text(void **state)
{
    char text[MESSAGE_MAX_BYTES + 100];
    struct message in = {0};

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(message_send_text(pair[1], 3, 9, text), 0);
    assert_int_equal(message_receive(pair[0], &buffer, &in), 1);
    assert_int_equal(in.len, MESSAGE_MAX_BYTES);
    assert_int_equal(strlen(in.data), MESSAGE_MAX_BYTES);
}

static void test_descriptors(void **state)
{
    (void)state;
    for (size_t n = 0; n <= MESSAGE_MAX_FDS; n++) {
        struct message out = {.type = 1, .n_fds = n, .data = "x", .len = 1}, in = {0};
        struct stat a, b;

        for (size_t i = 0; i < n; i++)
            out.fds[i] = pair[i % 2];
        assert_int_equal(message_send(pair[0], &out), 0);
        assert_int_equal(message_receive(pair[1], &buffer, &in), 1);
        assert_int_equal(in.n_fds, n);
        for (size_t i = 0; i < n; i++) { /* in the order in which they were sent */
            assert_true(fcntl(in.fds[i], F_GETFD) & FD_CLOEXEC);
            assert_int_equal(fstat(in.fds[i], &a), 0);
            assert_int_equal(fstat(pair[i % 2], &b), 0);
            assert_int_equal(a.st_ino, b.st_ino);
        }
        message_close_fds(&in);
        assert_int_equal(in.n_fds, 0);
    }
}

static void test_send_refusals(void **state)
{
    struct message many = {.type = 1, .n_fds = MESSAGE_MAX_FDS + 1};
    struct message closed = {.type = 1, .fds = {-1}, .n_fds = 1};

    (void)state;
    assert_int_equal(message_send(pair[0], &many), -E2BIG);
    assert_int_equal(message_send(pair[0], &closed), -EBADF);
    assert_int_equal(message_send(-1, &closed), -EBADF);
}

static void test_deaf_peer(void **state)
{
    int r = 0;

    (void)state;
    for (int i = 0; i < 100000 && r == 0; i++)
        r = message_send_text(pair[0], 1, 0, "nobody reads");
    assert_int_equal(r, -EAGAIN);
}

static void test_dead_peer(void **state)
{
    (void)state;
    closep(&pair[1]);
    pair[1] = -1;
    assert_int_equal(message_send_text(pair[0], 1, 0, ""), -EPIPE); /* and no SIGPIPE */
}

/* Bytes as a stranger sends them, with descriptors. */
struct header {
    uint16_t version, type;
    uint32_t value;
    uint64_t reserved;
};

static void send_raw(const void *data, size_t len, size_t n_fds)
{
    struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * 64)];
    } control = {0};
    struct msghdr hdr = {.msg_iov = &iov, .msg_iovlen = 1};

    if (n_fds > 0) {
        hdr.msg_control = control.bytes;
        hdr.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        struct cmsghdr *c = CMSG_FIRSTHDR(&hdr);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
        for (size_t i = 0; i < n_fds; i++)
            memcpy(CMSG_DATA(c) + i * sizeof(int), &pair[0], sizeof(int));
    }
    assert_int_equal(sendmsg(pair[0], &hdr, MSG_NOSIGNAL), len);
}

static void test_hostile_packets(void **state)
{
    static const struct {
        size_t len;
        uint16_t version;
        size_t n_fds;
    } cases[] = {
        {sizeof(struct header) - 1, MESSAGE_VERSION, 0},
        {sizeof(struct header) - 1, MESSAGE_VERSION, 2},
        {1, MESSAGE_VERSION, 1},
        {0, MESSAGE_VERSION, 0}, /* looks like an end, and is none */
        {0, MESSAGE_VERSION, 3},
        {sizeof(struct header), 0, 1},
        {sizeof(struct header), MESSAGE_VERSION + 1, 3},
        {sizeof(struct header) + MESSAGE_MAX_BYTES + 1, MESSAGE_VERSION, 1},
        {sizeof(struct header), MESSAGE_VERSION, MESSAGE_MAX_FDS + 1},
        {sizeof(struct header), MESSAGE_VERSION, MESSAGE_MAX_FDS + 2},
        {sizeof(struct header), MESSAGE_VERSION, 64},
    };
    char packet[sizeof(struct header) + MESSAGE_MAX_BYTES + 1] = "";

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct header head = {.version = cases[i].version, .type = 1};
        struct message in = {.type = 77};
        size_t n_fds = unit_count_fds();

        memcpy(packet, &head, sizeof(head));
        send_raw(packet, cases[i].len, cases[i].n_fds);
        if (message_receive(pair[1], &buffer, &in) != -EPROTO)
            fail_msg("case %zu was not refused", i);
        assert_int_equal(in.type, 77);
        assert_int_equal(unit_count_fds(), n_fds);
    }
    send_raw(&(struct header){.version = MESSAGE_VERSION, .type = 5}, sizeof(struct header), 0);
    struct message in = {0};
    assert_int_equal(message_receive(pair[1], &buffer, &in), 1); /* the socket itself is fine */
}

/* Without credentials nobody can tell an empty packet from an end; nothing is left open either. */
static void test_empty_packet_without_credentials(void **state)
{
    struct message in = {0};
    int off = 0;

    (void)state;
    assert_int_equal(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &off, sizeof(off)), 0);
    send_raw("", 0, 2);
    assert_int_equal(message_receive(pair[1], &buffer, &in), -EPROTO);
    send_raw("", 0, 0);
    assert_int_equal(message_receive(pair[1], &buffer, &in), 0);
    assert_int_equal(message_send_text(pair[0], 1, 0, ""), 0);
    assert_int_equal(message_receive(pair[1], &buffer, &in), 1);
    assert_int_equal(in.sender, 0);
}

/* The last words of a peer come, whether or not it had read all that it was told. */
static void test_end(void **state)
{
    (void)state;
    for (int unread = 0; unread < 2; unread++) {
        struct message in = {0};
        int fds[2];

        assert_int_equal(message_socketpair(fds), 0);
        if (unread)
            assert_int_equal(message_send_text(fds[1], 9, 0, "never read"), 0);
        assert_int_equal(message_send_text(fds[0], 1, 0, "the last words"), 0);
        (void)close(fds[0]);
        assert_int_equal(message_receive(fds[1], &buffer, &in), 1);
        assert_string_equal(in.data, "the last words");
        assert_int_equal(message_receive(fds[1], &buffer, &in), 0);
        assert_int_equal(message_receive(fds[1], &buffer, &in), 0);
        (void)close(fds[1]);
    }
}

static void send_from_child(void *data)
{
    (void)data;
    UNIT_CHECK(message_send_text(pair[0], 1, (uint32_t)getpid(), "") == 0);
}

/* The kernel says who sent it, whatever the packet claims. */
static void test_sender(void **state)
{
    struct message in = {0};

    (void)state;
    assert_int_equal(unit_run_child(send_from_child, NULL), 0);
    assert_int_equal(message_receive(pair[1], &buffer, &in), 1);
    assert_int_equal(in.sender, in.value);
    assert_int_not_equal(in.sender, getpid());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_descriptors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_send_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_deaf_peer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_dead_peer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_hostile_packets, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty_packet_without_credentials, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sender, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
