/* SPDX-License-Identifier: MIT */
/* Processes: birth, death signal, end. Everything that differs between fork(2) and clone3(2), and
 * every check that a parent may already be gone, is here and nowhere else. */
#include "base/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

int proc_fork(struct proc *ret)
{
    pid_t pid = fork();

    if (pid < 0)
        return -errno;
    if (pid == 0)
        return 0;

    /* Our own child, not yet reaped: its pid cannot mean another process. */
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        int r = -errno;
        (void)kill(pid, SIGKILL);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return r;
    }
    *ret = (struct proc){.pid = pid, .pidfd = pidfd};
    return 1;
}

/* The process between us and the orphan: forks it and ends. It runs in our memory, not in a copy,
 * so that only one copy is made (vfork(2)); fork(2) in it finds everything as it is here, and
 * leaves it so. */
static pid_t fork_between(const int gate[2], volatile int *ret_error)
{
    pid_t between = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */

    if (between != 0)
        return between;
    pid_t orphan = fork(); /* NOLINT(clang-analyzer-unix.Vfork) */
    *ret_error = orphan < 0 ? errno : 0;
    if (orphan != 0)
        _exit(EXIT_SUCCESS);
    (void)close(gate[1]);
    return 0;
}

int proc_fork_orphan(void)
{
    int gate[2]; /* closed by the caller when the process in between has been reaped */
    volatile int error = ECHILD; /* until it has forked */
    char byte = 0;

    if (pipe2(gate, O_CLOEXEC) < 0)
        return -errno;
    pid_t between = fork_between(gate, &error);
    if (between == 0) {
        while (read(gate[0], &byte, 1) < 0 && errno == EINTR)
            ;
        (void)close(gate[0]);
        return 0;
    }
    int r = between < 0 ? -errno : 1;
    while (r == 1 && waitpid(between, NULL, 0) < 0) {
        if (errno == ECHILD)
            break; /* SIGCHLD is ignored: it has ended, and nobody hears how */
        if (errno != EINTR)
            r = -errno;
    }
    if (r == 1 && error != 0)
        r = -error;
    (void)close(gate[0]);
    (void)close(gate[1]);
    return r;
}

int proc_adopt(pid_t pid, struct proc *ret)
{
    siginfo_t info = {0};
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

    if (pidfd < 0)
        return -errno;
    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0) {
        int r = -errno;
        (void)close(pidfd);
        return r;
    }
    *ret = (struct proc){.pid = pid, .pidfd = pidfd};
    return 0;
}

int proc_fork_sibling(bool same_fds)
{
    const struct clone_args args = {
        .flags = CLONE_PARENT | (same_fds ? (uint64_t)CLONE_FILES : 0),
    };
    long pid = syscall(SYS_clone3, &args, sizeof(args));

    if (pid < 0)
        return -errno;
    return pid == 0 ? 0 : 1;
}

/* In the child of proc_spawn(): only async-signal-safe work, then another program. */
static _noreturn_ void exec_child(const struct proc_exec *exec, pid_t parent)
{
    const char *step = "set the parent death signal";

    proc_reset_signals();
    int r = exec->stays ? 0 : proc_die_with_parent(parent);
    if (r == -ESRCH)
        _exit(127); /* nobody is left to care */
    if (r == 0 && !exec->stays && setpgid(0, 0) < 0) {
        step = "make a process group";
        r = -errno;
    }
    if (r == 0 && exec->cwd && chdir(exec->cwd) < 0) {
        step = exec->cwd;
        r = -errno;
    }
    if (r == 0) {
        step = "arrange descriptors";
        r = fd_arrange(exec->first_fd, exec->fds, exec->n_fds);
    }
    if (r == 0 && exec->nofile && setrlimit(RLIMIT_NOFILE, exec->nofile) < 0) {
        step = "set the limit of descriptors";
        r = -errno;
    }
    if (r == 0) {
        step = exec->path;
        (void)execve(exec->path, exec->argv, exec->envp);
        r = -errno;
    }
    (void)dprintf(STDERR_FILENO, "cannot start %s: %s: %s\n", exec->argv[0], step, strerror(-r));
    _exit(127);
}

int proc_spawn(const struct proc_exec *exec, struct proc *ret)
{
    int pidfd = -1;
    pid_t parent = getpid();
    struct clone_args args = {
        .flags = CLONE_PIDFD,
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
    };
    long pid = syscall(SYS_clone3, &args, sizeof(args));

    if (pid < 0)
        return -errno;
    if (pid == 0)
        exec_child(exec, parent);
    *ret = (struct proc){.pid = (pid_t)pid, .pidfd = pidfd};
    return 0;
}

int proc_end_with_parent(pid_t parent, int sig)
{
    if (prctl(PR_SET_PDEATHSIG, sig) < 0)
        return -errno;
    return getppid() == parent ? 0 : -ESRCH;
}

int proc_die_with_parent(pid_t parent)
{
    return proc_end_with_parent(parent, SIGKILL);
}

int proc_become_subreaper(void)
{
    return prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? -errno : 0;
}

void proc_unblock_signals(void)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

void proc_reset_signals(void)
{
    for (int sig = 1; sig < NSIG; sig++)
        if (sig != SIGKILL && sig != SIGSTOP)
            (void)signal(sig, SIG_DFL); /* fails for those that libc keeps to itself */
    proc_unblock_signals();
}

static void on_sigpipe(int sig)
{
    (void)sig;
}

void proc_catch_sigpipe(void)
{
    const struct sigaction sa = {.sa_handler = on_sigpipe, .sa_flags = SA_RESTART};

    (void)sigaction(SIGPIPE, &sa, NULL); /* it exists and can be caught */
}

int proc_signal(const struct proc *p, int sig)
{
    if (p->pidfd < 0)
        return -ESRCH;
    return syscall(SYS_pidfd_send_signal, p->pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

void proc_signal_group(const struct proc *p, int sig)
{
    if (p->pid > 0 && kill(-p->pid, sig) < 0)
        (void)proc_signal(p, sig); /* it has not made its group yet */
}

/* Appends the entries of the directory @path, which are numbers; @of_fds: but for the descriptor
 * that they are read through. */
static int add_number(int **list, size_t *n, int number)
{
    int *more = realloc(*list, (*n + 1) * sizeof(*more));

    if (!more)
        return -ENOMEM;
    *list = more;
    more[(*n)++] = number;
    return 0;
}

static int list_numbers(const char *path, bool of_fds, int **ret, size_t *ret_n)
{
    DIR *dir = opendir(path);
    int r = 0;

    if (!dir)
        return -errno;
    while (r == 0) {
        errno = 0;
        const struct dirent *e = readdir(dir);
        if (!e) {
            r = -errno;
            break;
        }
        int number = (int)strtol(e->d_name, NULL, 10);
        if (e->d_name[0] != '.' && !(of_fds && number == dirfd(dir)))
            r = add_number(ret, ret_n, number);
    }
    (void)closedir(dir);
    return r;
}

int proc_list_threads(int **ret, size_t *ret_n)
{
    return list_numbers("/proc/self/task", false, ret, ret_n);
}

int proc_list_fds(int **ret, size_t *ret_n)
{
    return list_numbers("/proc/self/fd", true, ret, ret_n);
}

size_t proc_count_threads(void)
{
    int *threads = NULL;
    size_t n = 0;
    int r = proc_list_threads(&threads, &n);

    free(threads);
    return r < 0 ? 0 : n;
}

char proc_state(pid_t pid)
{
    _cleanup_free_ char *text = NULL;
    char path[64];
    size_t len = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    if (file_read_all(path, 4096, &text, &len) < 0)
        return 0;
    const char *end_of_name = strrchr(text, ')');
    if (!end_of_name || end_of_name[1] != ' ')
        return '\0';
    return end_of_name[2];
}

int proc_reap(struct proc *p, siginfo_t *ret)
{
    siginfo_t info = {0};

    if (waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG) < 0)
        return -errno;
    if (info.si_pid == 0)
        return 0;
    *ret = info;
    proc_done(p);
    return 1;
}

void proc_done(struct proc *p)
{
    closep(&p->pidfd);
    *p = PROC_NONE;
}

const char *proc_describe_end(const siginfo_t *info, char *text, size_t size)
{
    if (info->si_pid == 0)
        (void)snprintf(text, size, "ended");
    else if (info->si_code == CLD_EXITED)
        (void)snprintf(text, size, "exited with code %d", info->si_status);
    else
        (void)snprintf(text, size, "killed by signal %d (%s)%s", info->si_status,
                       strsignal(info->si_status),
                       info->si_code == CLD_DUMPED ? ", core dumped" : "");
    return text;
}
