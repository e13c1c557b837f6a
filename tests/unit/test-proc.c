/* SPDX-License-Identifier: MIT */
/* Processes: what a new one has, how its end is seen, and that it does not outlive its parent. */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "unit.h"

static siginfo_t wait_for_end(struct proc *p)
{
    siginfo_t end = {0};

    unit_wait_readable(p->pidfd);
    assert_int_equal(proc_reap(p, &end), 1);
    assert_int_equal(p->pid, 0);
    assert_int_equal(p->pidfd, -1);
    return end;
}

/* Everything that comes out of @fd until its end. */
static char *read_rest(int fd)
{
    char *text = NULL;
    size_t len = 0;

    assert_int_equal(fd_read_all(fd, 100000, &text, &len), 0);
    return text;
}

static void test_fork(void **state)
{
    struct proc p = PROC_NONE;
    siginfo_t end = {0};
    int gate[2];

    (void)state;
    assert_int_equal(pipe2(gate, O_CLOEXEC), 0);
    int r = proc_fork(&p);
    if (r == 0) {
        char byte = 0;
        (void)close(gate[1]);
        (void)!read(gate[0], &byte, 1);
        _exit(7);
    }
    assert_int_equal(r, 1);
    assert_true(p.pid > 0);
    assert_true(fcntl(p.pidfd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(proc_reap(&p, &end), 0); /* it still runs */
    (void)close(gate[0]);
    (void)close(gate[1]);
    end = wait_for_end(&p);
    assert_int_equal(end.si_status, 7);
    assert_int_equal(proc_signal(&p, SIGKILL), -ESRCH);
    proc_done(&p);
}

static void test_signal(void **state)
{
    struct proc p = PROC_NONE;
    char text[64];

    (void)state;
    int r = proc_fork(&p);
    if (r == 0)
        for (;;)
            (void)pause();
    assert_int_equal(proc_signal(&p, 0), 0);
    assert_int_equal(proc_signal(&p, SIGKILL), 0);
    const siginfo_t end = wait_for_end(&p);
    assert_string_equal(proc_describe_end(&end, text, sizeof(text)), "killed by signal 9 (Killed)");
}

static void test_reap_refusals(void **state)
{
    struct proc none = PROC_NONE;
    siginfo_t end = {.si_status = 5};
    struct proc stranger = {.pid = 1, .pidfd = dup(STDERR_FILENO)};

    (void)state;
    assert_true(proc_reap(&none, &end) < 0);
    assert_true(proc_reap(&stranger, &end) < 0); /* no pidfd at all */
    assert_int_equal(end.si_status, 5);
    proc_done(&stranger);
    assert_int_equal(stranger.pidfd, -1);
}

static void test_describe_end(void **state)
{
    static const struct {
        int code, status;
        const char *text;
    } cases[] = {
        {CLD_EXITED, 3, "exited with code 3"},
        {CLD_KILLED, 11, "killed by signal 11 (Segmentation fault)"},
        {CLD_DUMPED, 6, "killed by signal 6 (Aborted), core dumped"},
    };
    siginfo_t end = {0};
    char text[96];

    (void)state;
    assert_string_equal(proc_describe_end(&end, text, sizeof(text)), "ended");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        end.si_pid = 9;
        end.si_code = cases[i].code;
        end.si_status = cases[i].status;
        assert_string_equal(proc_describe_end(&end, text, sizeof(text)), cases[i].text);
    }
}

/* Starts a shell script with its output on a socket (1, 2 and 3); returns our end. */
static int spawn_script(const char *script, const char *cwd, char *const *envp, struct proc *ret)
{
    char sh[] = "sh", c[] = "-c", copy[512];
    char *const argv[] = {sh, c, copy, NULL};
    int fds[2];

    assert_true(snprintf(copy, sizeof(copy), "%s", script) < (int)sizeof(copy));
    assert_int_equal(fd_socketpair(SOCK_STREAM, fds), 0);
    const int child_fds[] = {STDIN_FILENO, fds[1], fds[1], fds[1]};
    const struct rlimit nofile = {.rlim_cur = 123, .rlim_max = 456};
    const struct proc_exec exec = {
        .path = "/bin/sh",
        .argv = argv,
        .envp = envp,
        .cwd = cwd,
        .fds = child_fds,
        .n_fds = COUNT_OF(child_fds),
        .nofile = &nofile,
    };
    int r = proc_spawn(&exec, ret);
    (void)close(fds[1]);
    assert_int_equal(r, 0);
    return fds[0];
}

static void test_spawn(void **state)
{
    char greeting[] = "GREETING=hello";
    char *const envp[] = {greeting, NULL};
    sigset_t some, old;
    struct proc p = PROC_NONE;

    (void)state;
    (void)sigemptyset(&some);
    (void)sigaddset(&some, SIGTERM);
    assert_int_equal(sigprocmask(SIG_BLOCK, &some, &old), 0);
    (void)signal(SIGUSR1, SIG_IGN);
    (void)signal(SIGPIPE, SIG_DFL);
    /* A shell asks about itself: its folder, environment, group, limits, descriptors (listing them
     * takes one of its own), and signals but 32 and 33, which the C library keeps to itself. */
    _cleanup_close_ int fd =
        spawn_script("echo $GREETING $PWD; set -- $(cat /proc/$$/stat); [ $5 = $$ ] && echo leads; "
                     "ulimit -Sn; ulimit -Hn; for f in /proc/$$/fd/*; do echo ${f##*/}; done; "
                     "grep SigBlk /proc/self/status; set -- $(grep SigIgn /proc/self/status); "
                     "printf 'ignored %x\n' $((0x$2 & ~0x180000000))",
                     "/usr", envp, &p);
    _cleanup_free_ char *text = read_rest(fd);
    const siginfo_t end = wait_for_end(&p);
    assert_int_equal(sigprocmask(SIG_SETMASK, &old, NULL), 0);
    (void)signal(SIGUSR1, SIG_DFL);
    assert_int_equal(end.si_status, 0);
    assert_non_null(strstr(text, "hello /usr\nleads\n123\n456\n0\n1\n2\n3\n"));
    assert_null(strstr(text, "\n5\n"));
    assert_non_null(strstr(text, "SigBlk:\t0000000000000000\n"));
    assert_non_null(strstr(text, "ignored 0\n"));
}

/* What fails in the child is said on its descriptor 2. */
static void test_spawn_failures(void **state)
{
    static const struct {
        const char *path, *cwd, *said;
    } cases[] = {
        {"/nonexistent/program", NULL, "cannot start app: /nonexistent/program: No such file"},
        {"/", NULL, "cannot start app: /: Permission denied"},
        {"/bin/sh", "/nonexistent", "cannot start app: /nonexistent: No such file"},
    };
    char app[] = "app";
    char *const argv[] = {app, NULL}, *const envp[] = {NULL};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct proc p = PROC_NONE;
        struct proc_exec exec = {
            .path = cases[i].path,
            .argv = argv,
            .envp = envp,
            .cwd = cases[i].cwd,
            .first_fd = 3,
        };

        unit_begin_capture();
        int r = proc_spawn(&exec, &p);
        siginfo_t end = {0};
        if (r == 0)
            end = wait_for_end(&p);
        _cleanup_free_ char *text = unit_end_capture();
        assert_int_equal(r, 0);
        assert_int_equal(end.si_status, 127);
        if (!strstr(text, cases[i].said))
            fail_msg("said was: %s", text);
    }
}

/* A grandchild that is forked: it has asked for its death before its parent goes on. */
static void leave_forked_child(void *data)
{
    const int *fd = data;
    struct proc grandchild = PROC_NONE;
    pid_t parent = getpid();
    char byte = 0;
    int gate[2];

    UNIT_CHECK(pipe2(gate, O_CLOEXEC) == 0);
    int r = proc_fork(&grandchild);
    if (r == 0) {
        UNIT_CHECK(proc_die_with_parent(parent) == 0);
        UNIT_CHECK(write(gate[1], "x", 1) == 1);
        for (;;)
            (void)pause(); /* holds *fd open as long as it lives */
    }
    UNIT_CHECK(r == 1);
    UNIT_CHECK(read(gate[0], &byte, 1) == 1);
    UNIT_CHECK(write(*fd, "x", 1) == 1);
    (void)raise(SIGKILL);
}

/* A grandchild that is another program, at whatever moment of its start its parent dies. */
static void leave_spawned_child(void *data)
{
    const int *fd = data;
    struct proc grandchild = PROC_NONE;
    char cat[] = "cat";
    char *const argv[] = {cat, NULL}, *const envp[] = {NULL};
    int input[2]; /* its own other end is with it: it reads for ever */

    UNIT_CHECK(pipe2(input, O_CLOEXEC) == 0);
    const int fds[] = {input[0], *fd, STDERR_FILENO, input[1]};
    const struct proc_exec exec = {
        .path = "/bin/cat", .argv = argv, .envp = envp, .fds = fds, .n_fds = COUNT_OF(fds)};
    UNIT_CHECK(proc_spawn(&exec, &grandchild) == 0);
    UNIT_CHECK(write(*fd, "x", 1) == 1);
    (void)raise(SIGKILL);
}

static void test_death_with_parent(void **state)
{
    static void (*const parents[])(void *) = {leave_forked_child, leave_spawned_child};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(parents); i++) {
        char bytes[8];
        int fds[2];

        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        assert_int_equal(unit_run_child(parents[i], &fds[1]), 128 + SIGKILL);
        (void)close(fds[1]);
        assert_int_equal(read(fds[0], bytes, sizeof(bytes)), 1);
        unit_wait_readable(fds[0]);
        assert_int_equal(read(fds[0], bytes, sizeof(bytes)), 0); /* nobody holds the other end */
        (void)close(fds[0]);
    }
}

static void check_parent(void *data)
{
    const pid_t *parent = data;

    UNIT_CHECK(proc_die_with_parent(*parent) == 0);
    UNIT_CHECK(proc_die_with_parent(*parent + 1) == -ESRCH);
}

static void test_parent_is_checked(void **state)
{
    pid_t self = getpid();

    (void)state;
    assert_int_equal(unit_run_child(check_parent, &self), 0);
}

/* In a child: becomes a sub-reaper; the grandchild of a child that ends is then its own. */
static void adopt_grandchild(void *data)
{
    struct proc child = PROC_NONE, grandchild = PROC_NONE;
    siginfo_t end = {0};
    int fds[2];

    (void)data;
    UNIT_CHECK(proc_become_subreaper() == 0);
    UNIT_CHECK(pipe2(fds, O_CLOEXEC) == 0);
    int r = proc_fork(&child);
    if (r == 0) {
        if (proc_fork(&grandchild) == 0) {
            char byte = 0;
            (void)close(fds[1]);
            (void)!read(fds[0], &byte, 1);
            _exit(9);
        }
        _exit(0);
    }
    UNIT_CHECK(r == 1 && waitid(P_PIDFD, (id_t)child.pidfd, &end, WEXITED) == 0);
    (void)close(fds[1]); /* the grandchild may end */
    UNIT_CHECK(waitid(P_ALL, 0, &end, WEXITED) == 0);
    UNIT_CHECK(end.si_pid != child.pid && end.si_status == 9);
}

static void test_subreaper(void **state)
{
    (void)state;
    assert_int_equal(unit_run_child(adopt_grandchild, NULL), 0);
}

/* A child of ours may be taken charge of; nobody else's, and nobody who is not there. */
static void adopt(void *data)
{
    struct proc child = PROC_NONE, adopted = PROC_NONE;
    siginfo_t end = {0};

    (void)data;
    int r = proc_fork(&child);
    if (r == 0)
        _exit(5);
    UNIT_CHECK(r == 1);
    UNIT_CHECK(proc_adopt(child.pid, &adopted) == 0);
    UNIT_CHECK(adopted.pid == child.pid);
    UNIT_CHECK(fcntl(adopted.pidfd, F_GETFD) & FD_CLOEXEC);
    UNIT_CHECK(waitid(P_PIDFD, (id_t)adopted.pidfd, &end, WEXITED) == 0);
    UNIT_CHECK(end.si_status == 5);

    size_t n_fds = unit_count_fds();
    UNIT_CHECK(proc_adopt(child.pid, &adopted) == -ESRCH);
    UNIT_CHECK(proc_adopt(getppid(), &adopted) == -ECHILD);
    UNIT_CHECK(proc_adopt(0, &adopted) < 0);
    UNIT_CHECK(proc_adopt(-1, &adopted) < 0);
    UNIT_CHECK(adopted.pid == child.pid);
    UNIT_CHECK(unit_count_fds() == n_fds);
}

static void test_adopt(void **state)
{
    (void)state;
    assert_int_equal(unit_run_child(adopt, NULL), 0);
}

static void check_reset(void *data)
{
    static const int some[] = {SIGHUP, SIGINT, SIGTERM, SIGCHLD, SIGUSR1, SIGALRM, SIGPIPE};
    sigset_t all, now;

    (void)data;
    (void)sigfillset(&all);
    for (size_t i = 0; i < COUNT_OF(some); i++)
        (void)signal(some[i], SIG_IGN);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    proc_reset_signals();
    (void)sigprocmask(SIG_SETMASK, NULL, &now);
    for (size_t i = 0; i < COUNT_OF(some); i++) {
        UNIT_CHECK(!sigismember(&now, some[i]));
        UNIT_CHECK(signal(some[i], SIG_DFL) == SIG_DFL);
    }
}

static void test_reset_signals(void **state)
{
    (void)state;
    assert_int_equal(unit_run_child(check_reset, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_signal),
        cmocka_unit_test(test_reap_refusals),
        cmocka_unit_test(test_describe_end),
        cmocka_unit_test(test_spawn),
        cmocka_unit_test(test_spawn_failures),
        cmocka_unit_test(test_death_with_parent),
        cmocka_unit_test(test_parent_is_checked),
        cmocka_unit_test(test_subreaper),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_reset_signals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
