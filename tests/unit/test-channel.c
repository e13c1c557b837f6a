/* SPDX-License-Identifier: MIT */
/* Dispatch by rules: what the rules do not list ends the channel and leaves nothing open. */
#include "ipc/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unit-loop.h"

enum { PLAIN = 1, WITH_FD, REFUSED, CLOSING, ECHO, NOT_ACCEPTED, N_TYPES };

static char trace[64];
static int closed_error;
static int n_closed, n_handled;

static struct channel channel;
static int peer;
static size_t n_fds_before;

static void note(const char *text)
{
    size_t len = strlen(trace);

    (void)snprintf(trace + len, sizeof(trace) - len, "%s;", text);
}

static int on_plain(struct channel *c, struct message *m)
{
    assert_ptr_equal(c, &channel);
    if (strlen(m->data) < 20)
        note(m->data);
    if (strcmp(m->data, "stop") == 0)
        loop_stop(unit_loop, 0);
    return 0;
}

static int on_with_fd(struct channel *c, struct message *m)
{
    (void)c;
    assert_int_equal(m->n_fds, 1);
    assert_int_equal(m->sender, getpid());
    assert_true(fcntl(m->fds[0], F_GETFD) >= 0);
    note("fd");
    message_close_fds(m);
    return 0;
}

static int on_refused(struct channel *c, struct message *m)
{
    (void)c;
    (void)m;
    return -EBADMSG;
}

static int on_closing(struct channel *c, struct message *m)
{
    (void)m;
    note("closing");
    channel_close(c);
    loop_stop(unit_loop, 0);
    return 0;
}

/* There is always one more. */
static int on_echo(struct channel *c, struct message *m)
{
    (void)c;
    (void)m;
    n_handled++;
    assert_int_equal(message_send_text(peer, ECHO, 0, ""), 0);
    return 0;
}

/* clang-format off */
static const struct channel_rule rules[N_TYPES] = {
    [PLAIN]        = { .handler = on_plain },
    [WITH_FD]      = { .handler = on_with_fd, .n_fds = 1 },
    [REFUSED]      = { .handler = on_refused },
    [CLOSING]      = { .handler = on_closing },
    [ECHO]         = { .handler = on_echo },
    [NOT_ACCEPTED] = { .handler = NULL },
};
/* clang-format on */

static void on_closed(struct channel *c, int error)
{
    assert_ptr_equal(c, &channel);
    assert_int_equal(c->io.fd, -1);
    closed_error = error;
    n_closed++;
    loop_stop(unit_loop, 0);
}

static int set_up(void **state)
{
    int fds[2];

    trace[0] = '\0';
    n_closed = n_handled = closed_error = 0;
    if (unit_make_loop(state) < 0 || message_socketpair(fds) < 0)
        return -1;
    peer = fds[1];
    if (channel_open(&channel, unit_loop, fds[0], rules, COUNT_OF(rules), on_closed) < 0)
        return -1;
    n_fds_before = unit_count_fds();
    return 0;
}

static int tear_down(void **state)
{
    channel_close(&channel);
    closep(&peer);
    return unit_free_loop(state);
}

static void send_message(uint16_t type, const char *text, size_t n_fds)
{
    struct message m = {.type = type, .data = text, .len = strlen(text), .n_fds = n_fds};

    for (size_t i = 0; i < n_fds; i++)
        m.fds[i] = peer;
    assert_int_equal(message_send(peer, &m), 0);
}

static void test_dispatch(void **state)
{
    (void)state;
    send_message(PLAIN, "a", 0);
    send_message(WITH_FD, "", 1);
    send_message(PLAIN, "b", 0);
    send_message(PLAIN, "stop", 0);
    assert_int_equal(unit_run_loop(), 0);
    assert_string_equal(trace, "a;fd;b;stop;");
    assert_int_equal(n_closed, 0);
    assert_int_equal(unit_count_fds(), n_fds_before);
}

/* A broken or hostile peer: its message is the last that is looked at. */
static void test_hostile_peer(void **state)
{
    static const struct {
        uint16_t type;
        size_t n_fds;
        int error;
    } cases[] = {
        {0, 0, -EPROTO},       {NOT_ACCEPTED, 0, -EPROTO}, {NOT_ACCEPTED, 2, -EPROTO},
        {N_TYPES, 0, -EPROTO}, {UINT16_MAX, 3, -EPROTO},   {PLAIN, 1, -EPROTO},
        {WITH_FD, 0, -EPROTO}, {WITH_FD, 2, -EPROTO},      {REFUSED, 0, -EBADMSG},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (i > 0)
            assert_int_equal(set_up(state), 0);
        send_message(PLAIN, "good", 0);
        send_message(cases[i].type, "bad", cases[i].n_fds);
        send_message(PLAIN, "too late", 0);
        assert_int_equal(unit_run_loop(), 0);
        assert_string_equal(trace, "good;");
        assert_int_equal(n_closed, 1);
        assert_int_equal(closed_error, cases[i].error);
        assert_int_equal(unit_count_fds(), n_fds_before - 1);
        if (i + 1 < COUNT_OF(cases))
            assert_int_equal(tear_down(state), 0);
    }
}

static void test_garbage(void **state)
{
    (void)state;
    assert_int_equal(write(peer, "garbage", 7), 7);
    assert_int_equal(unit_run_loop(), 0);
    assert_int_equal(closed_error, -EPROTO);
}

/* The end of a peer is no error, and not even if it had not read everything. */
static void test_peer_ends(void **state)
{
    (void)state;
    assert_int_equal(message_send_text(channel.io.fd, PLAIN, 0, "never read"), 0);
    send_message(PLAIN, "last words", 0);
    closep(&peer);
    peer = -1;
    assert_int_equal(unit_run_loop(), 0);
    assert_string_equal(trace, "last words;");
    assert_int_equal(n_closed, 1);
    assert_int_equal(closed_error, 0);
}

/* Whoever closes the channel itself needs no telling. */
static void test_close_in_handler(void **state)
{
    (void)state;
    send_message(CLOSING, "", 0);
    send_message(PLAIN, "not read", 0);
    assert_int_equal(unit_run_loop(), 0);
    assert_string_equal(trace, "closing;");
    assert_int_equal(n_closed, 0);
    channel_close(&channel);
    assert_int_equal(unit_count_fds(), n_fds_before - 1);
}

static void test_drain(void **state)
{
    (void)state;
    send_message(PLAIN, "a", 0);
    send_message(WITH_FD, "", 1);
    send_message(PLAIN, "b", 0);
    channel_drain(&channel);
    assert_string_equal(trace, "a;fd;b;");
    assert_true(channel.io.fd >= 0);
    channel_drain(&channel); /* nothing is there */

    send_message(REFUSED, "", 0);
    send_message(PLAIN, "too late", 0);
    channel_drain(&channel);
    assert_string_equal(trace, "a;fd;b;");
    assert_int_equal(channel.io.fd, -1);
    assert_int_equal(n_closed, 0);
    channel_drain(&channel); /* a closed one */
}

/* Somebody who inherited the end of a dead process and goes on talking does not keep us. */
static void test_drain_is_bounded(void **state)
{
    (void)state;
    send_message(ECHO, "", 0);
    channel_drain(&channel);
    assert_true(n_handled > 100 && n_handled < 100000);
    assert_true(channel.io.fd >= 0);
}

/* A channel that could not be opened holds nothing: its descriptor was closed, once. */
static void test_open_failure(void **state)
{
    struct channel c;
    int fd = open("/", O_RDONLY | O_CLOEXEC); /* epoll_ctl(2) does not take it */

    (void)state;
    assert_int_equal(channel_open(&c, unit_loop, fd, rules, COUNT_OF(rules), on_closed), -EPERM);
    assert_int_equal(c.io.fd, -1);
    _cleanup_close_ int next = open("/", O_RDONLY | O_CLOEXEC);
    assert_int_equal(next, fd);
    channel_close(&c);
    assert_true(fcntl(next, F_GETFD) >= 0);
}

#define CHANNEL_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHANNEL_TEST(test_dispatch),         CHANNEL_TEST(test_hostile_peer),
        CHANNEL_TEST(test_garbage),          CHANNEL_TEST(test_peer_ends),
        CHANNEL_TEST(test_close_in_handler), CHANNEL_TEST(test_drain),
        CHANNEL_TEST(test_drain_is_bounded), CHANNEL_TEST(test_open_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
