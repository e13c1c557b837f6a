/* SPDX-License-Identifier: MIT */
/* When nobody asks for anything, and when somebody does. The generation is a double, whose workers
 * say what the test wants. */
#include "instance/idle.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "instance/generation.h"
#include "unit-loop.h"

#define LIMIT_US (50 * US_PER_MS)

static struct {
    unsigned n_looks, n_open; /* so many looks find a request in progress */
    uint64_t quiet_us;
    bool busy; /* the master is, with something else */
} fake;

static struct queue queue;
static struct generation generation;
static struct listener listener;
static struct idle idle;

bool generation_is_quiet(const struct generation *g, uint64_t *ret_since_us)
{
    assert_ptr_equal(g, &generation);
    *ret_since_us = fake.quiet_us;
    return fake.n_looks++ >= fake.n_open;
}

static const struct generation *find_generation(void *data)
{
    assert_ptr_equal(data, &fake);
    if (!fake.busy)
        return &generation;
    fake.busy = false;
    return NULL;
}

static void on_idle(void *data)
{
    (void)data;
    loop_stop(unit_loop, 1);
}

static void on_bell(void *data)
{
    (void)data;
    loop_stop(unit_loop, 2);
}

static int set_up(void **state)
{
    int fds[2];

    fake.n_looks = fake.n_open = 0;
    fake.quiet_us = 0;
    fake.busy = false;
    int r = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds);
    if (r < 0)
        return r;
    listener = (struct listener){.fd = fds[0]};
    queue.give_fd = fds[1]; /* the other end of it */
    queue.take_fd = -1;
    generation =
        (struct generation){.queue = &queue, .listeners = {.items = {&listener}, .n_items = 1}};
    idle_init(&idle, find_generation, on_idle, on_bell, &fake);
    return unit_make_loop(state);
}

static int tear_down(void **state)
{
    idle_stop(&idle);
    (void)close(listener.fd);
    (void)close(queue.give_fd);
    return unit_free_loop(state);
}

/* How long it took until on_idle(). */
static uint64_t run(void)
{
    uint64_t before_us = clock_now_us();

    loop_update_now(unit_loop);
    idle_configure(&idle, unit_loop, LIMIT_US);
    assert_int_equal(unit_run_loop(), 1);
    return clock_now_us() - before_us;
}

static void test_nothing_at_all(void **state)
{
    (void)state;
    assert_true(run() >= LIMIT_US);
    assert_int_equal(fake.n_looks, 1);
}

/* The last request was over a while after the beginning: the limit counts from there. */
static void test_last_request(void **state)
{
    (void)state;
    fake.quiet_us = clock_now_us() + 20 * US_PER_MS;
    assert_true(run() >= LIMIT_US + 19 * US_PER_MS);
    assert_int_equal(fake.n_looks, 2);
}

static void test_request_in_progress(void **state)
{
    (void)state;
    fake.n_open = 2;
    assert_true(run() >= 3 * LIMIT_US);
    assert_int_equal(fake.n_looks, 3);
}

static void test_busy_master(void **state)
{
    (void)state;
    fake.busy = true;
    assert_true(run() >= 2 * LIMIT_US);
}

static void take_all(struct loop_timer *t)
{
    char byte = 0;

    (void)t;
    assert_int_equal(read(listener.fd, &byte, 1), 1);
}

static void test_connection_that_waits(void **state)
{
    struct loop_timer later = {.fn = take_all};

    (void)state;
    assert_int_equal(write(queue.give_fd, "x", 1), 1);
    loop_timer_set(unit_loop, &later, clock_now_us() + LIMIT_US + LIMIT_US / 2);
    assert_true(run() >= 2 * LIMIT_US);
}

static void test_bell(void **state)
{
    (void)state;
    idle_configure(&idle, unit_loop, 0);
    assert_false(idle_waits_for_bell(&idle));
    assert_int_equal(idle_wait_for_bell(&idle, &generation.listeners), 0);
    assert_true(idle_waits_for_bell(&idle));
    assert_int_equal(write(queue.give_fd, "x", 1), 1);
    assert_int_equal(unit_run_loop(), 2);
    assert_false(idle_waits_for_bell(&idle));
}

static void test_bell_that_fails(void **state)
{
    struct listener none = {.fd = 999};
    const struct listeners both = {.items = {&listener, &none}, .n_items = 2};

    (void)state;
    idle_configure(&idle, unit_loop, 0);
    assert_int_equal(idle_wait_for_bell(&idle, &both), -EBADF);
    assert_false(idle_waits_for_bell(&idle));
}

#define IDLE_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IDLE_TEST(test_nothing_at_all),        IDLE_TEST(test_last_request),
        IDLE_TEST(test_request_in_progress),   IDLE_TEST(test_busy_master),
        IDLE_TEST(test_connection_that_waits), IDLE_TEST(test_bell),
        IDLE_TEST(test_bell_that_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
