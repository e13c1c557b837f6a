/* SPDX-License-Identifier: MIT */
/* Work in a child while the loop goes on: its end, its limit, and that nothing of it stays. */
#include "loop/errand.h"

#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit-loop.h"

#define LIMIT_US (10 * US_PER_SEC)

static struct errand errand;
static siginfo_t ended;
static int pipe_fds[2];

static void on_end(void *data, const siginfo_t *end)
{
    assert_ptr_equal(data, &ended);
    assert_false(errand_is_on(&errand));
    ended = *end;
    loop_stop(unit_loop, 0);
}

static int set_up(void **state)
{
    memset(&ended, 0, sizeof(ended));
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -1;
    errand_init(&errand, on_end, &ended);
    return unit_make_loop(state);
}

static int tear_down(void **state)
{
    errand_stop(&errand);
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
    return unit_free_loop(state);
}

static int look_around(const void *data)
{
    const int *code = data;
    bool alone = fcntl(pipe_fds[0], F_GETFD) < 0 && fcntl(STDERR_FILENO, F_GETFD) >= 0 &&
                 getpgrp() == getpid();

    return alone ? *code : 99;
}

static void test_end(void **state)
{
    static const int codes[] = {0, 3};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        assert_int_equal(errand_start(&errand, unit_loop, look_around, &codes[i], LIMIT_US), 0);
        assert_true(errand_is_on(&errand));
        assert_int_equal(unit_run_loop(), 0);
        assert_int_equal(ended.si_code, CLD_EXITED);
        assert_int_equal(ended.si_status, codes[i]);
    }
}

static int take_long(const void *data)
{
    (void)data;
    (void)pause();
    return 0;
}

static void test_limit(void **state)
{
    (void)state;
    assert_int_equal(errand_start(&errand, unit_loop, take_long, NULL, 20 * US_PER_MS), 0);
    assert_int_equal(unit_run_loop(), 0);
    assert_int_equal(ended.si_code, CLD_KILLED);
    assert_int_equal(ended.si_status, SIGKILL);
}

static void test_stop(void **state)
{
    int status = 0;

    (void)state;
    assert_int_equal(errand_start(&errand, unit_loop, take_long, NULL, LIMIT_US), 0);
    pid_t pid = errand.child.proc.pid;
    errand_stop(&errand);
    assert_false(errand_is_on(&errand));
    errand_stop(&errand);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(ended.si_pid, 0);
}

#define ERRAND_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ERRAND_TEST(test_end),
        ERRAND_TEST(test_limit),
        ERRAND_TEST(test_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
