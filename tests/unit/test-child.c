/* SPDX-License-Identifier: MIT */
/* Ends of processes in the loop: of children that are watched, and of strangers. */
#include "loop/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit-loop.h"

static siginfo_t last_end;
static int n_ends, n_awaited, sum_of_codes;

static void on_end(struct loop_child *c, const siginfo_t *end)
{
    assert_int_equal(c->proc.pid, 0);
    assert_int_equal(c->proc.pidfd, -1);
    last_end = *end;
    sum_of_codes += end->si_status;
    if (++n_ends == n_awaited)
        loop_stop(unit_loop, 0);
}

static int set_up(void **state)
{
    n_ends = sum_of_codes = 0;
    n_awaited = 1;
    return unit_make_loop(state);
}

static void end_with_code(void *data)
{
    _exit(*(const int *)data);
}

static void wait_for_ever(void *data)
{
    (void)data;
    for (;;)
        (void)pause();
}

static void watch(struct loop_child *c, void (*fn)(void *), void *data)
{
    loop_child_init(c, on_end);
    c->proc = unit_start_child(fn, data);
    assert_int_equal(loop_child_watch(unit_loop, c), 0);
}

static void test_ends(void **state)
{
    struct loop_child children[3];
    int codes[] = {0, 3, 255};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(children); i++)
        watch(&children[i], end_with_code, &codes[i]);
    n_awaited = 3;
    assert_int_equal(unit_run_loop(), 0);
    assert_int_equal(sum_of_codes, 258);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* all are reaped */
    assert_int_equal(errno, ECHILD);
    for (size_t i = 0; i < COUNT_OF(children); i++)
        loop_child_done(&children[i]);
}

static void test_kill(void **state)
{
    struct loop_child c;

    (void)state;
    watch(&c, wait_for_ever, NULL);
    assert_int_equal(proc_signal(&c.proc, SIGKILL), 0);
    assert_int_equal(unit_run_loop(), 0);
    assert_int_equal(last_end.si_code, CLD_KILLED);
    assert_int_equal(last_end.si_status, SIGKILL);
}

/* The same place is watched again for the next process. */
static void on_end_start_next(struct loop_child *c, const siginfo_t *end)
{
    int code = end->si_status + 1;

    if (code == 4) {
        loop_stop(unit_loop, code);
        return;
    }
    c->proc = unit_start_child(end_with_code, &code);
    assert_int_equal(loop_child_watch(unit_loop, c), 0);
}

static void test_again(void **state)
{
    struct loop_child c;
    int code = 1;

    (void)state;
    loop_child_init(&c, on_end_start_next);
    c.proc = unit_start_child(end_with_code, &code);
    assert_int_equal(loop_child_watch(unit_loop, &c), 0);
    assert_int_equal(unit_run_loop(), 4);
}

static void test_reaped_by_somebody_else(void **state)
{
    struct loop_child c;
    siginfo_t end = {0};
    int code = 5;

    (void)state;
    watch(&c, end_with_code, &code);
    assert_int_equal(waitid(P_PIDFD, (id_t)c.proc.pidfd, &end, WEXITED), 0);
    assert_int_equal(unit_run_loop(), 0);
    assert_int_equal(n_ends, 1);
    assert_int_equal(last_end.si_pid, 0);
}

static void on_limit(struct loop_timer *t)
{
    (void)t;
    loop_stop(unit_loop, 0);
}

/* What is no longer watched is not called back for, not signalled and not waited for. */
static void test_done(void **state)
{
    struct loop_child c;
    struct loop_timer now = {.fn = on_limit};
    size_t n_fds = unit_count_fds();
    siginfo_t end = {0};

    (void)state;
    watch(&c, wait_for_ever, NULL);
    pid_t pid = c.proc.pid;
    loop_child_done(&c);
    loop_child_done(&c);
    assert_int_equal(unit_count_fds(), n_fds);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &end, WEXITED), 0);
    assert_int_equal(end.si_status, SIGKILL);
    loop_timer_set(unit_loop, &now, 0);
    assert_int_equal(unit_run_loop(), 0);
    assert_int_equal(n_ends, 0);
}

/* Strangers: in a child of their own, because they are whoever this process has for children. */

static bool is_ours(pid_t pid, void *data)
{
    return pid == *(const pid_t *)data;
}

static pid_t make_zombie(void)
{
    struct proc p = PROC_NONE;
    siginfo_t end = {0};

    int r = proc_fork(&p);
    if (r == 0)
        _exit(0);
    UNIT_CHECK(r == 1);
    UNIT_CHECK(waitid(P_PIDFD, (id_t)p.pidfd, &end, WEXITED | WNOWAIT) == 0);
    pid_t pid = p.pid;
    proc_done(&p);
    return pid;
}

static void reap_strangers(void *data)
{
    pid_t ours = 0;
    siginfo_t end = {0};

    (void)data;
    UNIT_CHECK(!loop_reap_strangers(is_ours, &ours)); /* no child at all */
    (void)make_zombie();
    (void)make_zombie();
    UNIT_CHECK(!loop_reap_strangers(is_ours, &ours));
    UNIT_CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);

    /* One of ours hides those behind it until it has been reaped. */
    (void)make_zombie();
    ours = make_zombie();
    (void)make_zombie();
    UNIT_CHECK(loop_reap_strangers(is_ours, &ours));
    UNIT_CHECK(waitid(P_PID, (id_t)ours, &end, WEXITED | WNOHANG) == 0);
    UNIT_CHECK(end.si_pid == ours);
    UNIT_CHECK(!loop_reap_strangers(is_ours, &ours));
    UNIT_CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void reap_beside_living_ones(void *data)
{
    struct proc p = PROC_NONE;
    pid_t self = getpid(), none = 0;

    (void)data;
    int r = proc_fork(&p);
    if (r == 0) {
        UNIT_CHECK(proc_die_with_parent(self) == 0);
        wait_for_ever(NULL);
    }
    UNIT_CHECK(r == 1);
    (void)make_zombie();
    UNIT_CHECK(!loop_reap_strangers(is_ours, &none));
    UNIT_CHECK(waitpid(-1, NULL, WNOHANG) == 0); /* it lives, nothing else is there */
}

static void test_strangers(void **state)
{
    (void)state;
    assert_int_equal(unit_run_child(reap_strangers, NULL), 0);
    assert_int_equal(unit_run_child(reap_beside_living_ones, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ends, set_up, unit_free_loop),
        cmocka_unit_test_setup_teardown(test_kill, set_up, unit_free_loop),
        cmocka_unit_test_setup_teardown(test_again, set_up, unit_free_loop),
        cmocka_unit_test_setup_teardown(test_reaped_by_somebody_else, set_up, unit_free_loop),
        cmocka_unit_test_setup_teardown(test_done, set_up, unit_free_loop),
        cmocka_unit_test(test_strangers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
