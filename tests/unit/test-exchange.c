/* SPDX-License-Identifier: MIT */
/* Sending an answer to a client that takes it as it likes, and the memory that is used again. */
#include "worker/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "unit.h"
#include "worker/conn.h"
#include "worker/worker-private.h"

#define LARGE ((size_t)4 * 1024 * 1024) /* more than a socket takes */

static struct worker_conf conf;
static struct apps apps;
static struct worker_start start;
static struct worker worker;
static struct conn conn;
static struct exchange *x;
static int client_fd;
static char *data; /* LARGE bytes of which no two pieces are the same */

static int set_up(void **state)
{
    int fds[2];

    (void)state;
    conf = (struct worker_conf){
        .body_memory_bytes = 1000,
        .max_head_bytes = 1000,
        .socket_timeout_us = 50 * US_PER_MS,
    };
    start = (struct worker_start){.conf = &conf, .apps = &apps};
    worker = (struct worker){.start = &start, .conf = &conf, .spool_dir = "/tmp"};
    list_init(&worker.spare_exchanges);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        return -1;
    conn = (struct conn){.io.fd = fds[0], .worker = &worker};
    client_fd = fds[1];
    x = exchange_begin(&worker, &conn);
    crew_self()->calling = x;
    data = malloc(LARGE);
    if (!x || !data)
        return -1;
    for (size_t i = 0; i < LARGE; i++)
        data[i] = (char)(i * 31 + i / 251 + i / 65536);
    return 0;
}

/* This thread leads, as in a worker. */
static int start_crew(void **state)
{
    static struct loop *loop;
    static struct crew crew;
    const struct crew_owner owner = {.data = NULL};

    (void)state;
    int r = loop_new(&loop);
    return r < 0 ? r : crew_start(&crew, loop, &apps, 0, true, &owner);
}

static void free_spare(void)
{
    LIST_FOREACH (item, &worker.spare_exchanges) {
        struct exchange *spare = container_of(item, struct exchange, link);
        http_body_done(&spare->body);
        arena_done(&spare->arena);
        buf_done(&spare->in);
        buf_done(&spare->out);
        free(spare);
    }
}

static int tear_down(void **state)
{
    (void)state;
    exchange_end(&worker, x);
    free_spare();
    closep(&conn.io.fd);
    closep(&client_fd);
    free(data);
    return 0;
}

static int send_bytes(const char *bytes, size_t len)
{
    const struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};

    return exchange_send(x, &iov, 1);
}

/* Reads what the client has; returns how much of the answer it has then. */
static size_t take(const char *expected, size_t at, size_t max)
{
    char bytes[65536];

    while (max > 0) {
        ssize_t n = read(client_fd, bytes, MIN(max, sizeof(bytes)));
        if (n < 0) {
            assert_int_equal(errno, EAGAIN);
            break;
        }
        assert_memory_equal(bytes, expected + at, (size_t)n);
        at += (size_t)n;
        max -= (size_t)n;
    }
    return at;
}

/* What does not fit is kept, in order, and goes when there is room. */
static void test_send(void **state)
{
    const struct iovec iov[] = {
        {.iov_base = data, .iov_len = 10},
        {.iov_base = NULL, .iov_len = 0},
        {.iov_base = data + 10, .iov_len = LARGE - 1010},
        {.iov_base = data + LARGE - 1000, .iov_len = 900},
    };
    size_t at = 0;

    (void)state;
    assert_int_equal(exchange_send(x, iov, COUNT_OF(iov)), 0);
    assert_false(exchange_all_sent(x));
    assert_int_equal(send_bytes(data + LARGE - 100, 100), 0);
    while (at < LARGE) {
        at = take(data, at, 100000);
        assert_int_equal(exchange_flush(x), 0);
    }
    assert_true(exchange_all_sent(x));
    assert_int_equal(send_bytes(NULL, 0), 0);
    assert_int_equal(take(data, at, 1), LARGE);
}

/* A piece of a file comes after the bytes that wait; the caller may close its descriptor. */
static void test_file(void **state)
{
    int file = memfd_create("file", MFD_CLOEXEC);
    size_t half = LARGE / 2, at = 0;

    (void)state;
    assert_int_equal(write(file, data, LARGE), LARGE);
    assert_int_equal(send_bytes(data, half), 0);
    assert_int_equal(exchange_send_file(x, file, half, LARGE - half), 0);
    closep(&file);
    assert_false(exchange_all_sent(x));
    while (at < LARGE) {
        at = take(data, at, LARGE);
        assert_int_equal(exchange_flush(x), 0);
    }
    assert_true(exchange_all_sent(x));
}

/* One that became shorter: its client was promised more. */
static void test_short_file(void **state)
{
    int file = memfd_create("file", MFD_CLOEXEC);
    int r = 0;

    (void)state;
    assert_int_equal(write(file, data, 1000), 1000);
    assert_int_equal(exchange_send_file(x, file, 0, LARGE), 0);
    while ((r = exchange_flush(x)) == 0)
        (void)take(data, 0, 1000);
    assert_int_equal(r, -EIO);
    closep(&file);
}

static void test_gone(void **state)
{
    (void)state;
    closep(&client_fd);
    assert_int_equal(send_bytes("x", 1), -EPIPE);
    assert_int_equal(buf_append(&x->out, "x", 1), 0);
    assert_int_equal(exchange_flush(x), -EPIPE);
    assert_int_equal(exchange_wait_sent(x, 0), -EPIPE);
}

static void test_progress(void **state)
{
    (void)state;
    assert_int_equal(send_bytes(data, LARGE), 0);
    (void)exchange_progresses(x);
    assert_false(exchange_progresses(x));
    (void)take(data, 0, 300000);
    assert_true(exchange_progresses(x));
    assert_false(exchange_progresses(x));
}

/* An application that goes on writing waits for its client, but not for one that takes nothing. */
static void take_all(void *arg)
{
    char bytes[65536];
    size_t left = *(size_t *)arg;

    UNIT_CHECK(fcntl(client_fd, F_SETFL, 0) == 0);
    while (left > 0) {
        ssize_t n = read(client_fd, bytes, sizeof(bytes));
        UNIT_CHECK(n > 0);
        left -= (size_t)n;
    }
}

static void test_wait(void **state)
{
    size_t len = LARGE;

    (void)state;
    assert_int_equal(send_bytes(data, LARGE), 0);
    assert_int_equal(exchange_wait_sent(x, LARGE), 0); /* no more than that waits */
    assert_int_equal(exchange_wait_sent(x, 0), -ETIMEDOUT);
    assert_false(exchange_all_sent(x));

    conf.socket_timeout_us = 20 * US_PER_SEC;
    struct proc child = unit_start_child(take_all, &len);
    assert_int_equal(exchange_wait_sent(x, 1000), 0);
    assert_true(buf_len(&x->out) <= 1000);
    assert_int_equal(exchange_wait_sent(x, 0), 0);
    assert_true(exchange_all_sent(x));
    assert_int_equal(unit_wait_child(&child), 0);
}

/* Given back it is used again, and nothing of the last request or answer is in it. */
static void test_used_again(void **state)
{
    size_t n_fds = unit_count_fds();

    (void)state;
    for (int round = 0; round < 3; round++) {
        struct exchange *before = x;
        int file = memfd_create("file", MFD_CLOEXEC);
        x->untouched = false;
        assert_int_equal(buf_append(&x->in, data, round == 1 ? 100000 : 100), 0);
        assert_int_equal(send_bytes(data, LARGE), 0);
        assert_int_equal(http_body_append(&x->body, data, 2000), 0);
        assert_int_equal(exchange_send_file(x, file, 0, 10), 0);
        closep(&file);
        x->ready_us = 1;
        exchange_end(&worker, x);
        assert_int_equal(unit_count_fds(), n_fds);
        assert_int_equal(worker.n_spare_exchanges, 1);

        x = exchange_begin(&worker, &conn);
        assert_ptr_equal(x, before);
        assert_int_equal(worker.n_spare_exchanges, 0);
        assert_int_equal(buf_len(&x->in) + buf_len(&x->out), 0);
        assert_true(x->in.capacity <= 16 * 1024UL && x->out.capacity <= 16 * 1024UL);
        assert_int_equal(http_body_length(&x->body), 0);
        assert_int_equal(x->ready_us, 0);
        assert_true(exchange_all_sent(x) && x->untouched);
        assert_ptr_equal(x->conn, &conn);
    }
}

/* However many there were at once, some only are kept. */
static void test_spare_ones_are_few(void **state)
{
    struct exchange *many[200];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = exchange_begin(&worker, &conn);
    for (size_t i = 0; i < COUNT_OF(many); i++)
        exchange_end(&worker, many[i]);
    assert_in_range(worker.n_spare_exchanges, 1, 100);
}

#define EXCHANGE_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EXCHANGE_TEST(test_send),       EXCHANGE_TEST(test_file),
        EXCHANGE_TEST(test_short_file), EXCHANGE_TEST(test_gone),
        EXCHANGE_TEST(test_wait),       EXCHANGE_TEST(test_progress),
        EXCHANGE_TEST(test_used_again), EXCHANGE_TEST(test_spare_ones_are_few),
    };

    return cmocka_run_group_tests(tests, start_crew, NULL);
}
