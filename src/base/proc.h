/* SPDX-License-Identifier: MIT */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/macro.h"

/* The only place that makes processes. A process is known by its pid and a pidfd: the pidfd is what
 * is signalled and waited for, so a recycled pid can never be hit. */
struct proc {
    pid_t pid; /* 0: none */
    int pidfd; /* -1: none; close-on-exec, readable once the process has ended (pidfd_open(2)) */
};

#define PROC_NONE ((struct proc){.pid = 0, .pidfd = -1})

/* fork(2) with a pidfd. Returns 0 in the child (*@ret untouched), 1 in the parent, or a negative
 * errno. The child has the parent's signal mask: it calls proc_reset_signals(). */
int proc_fork(struct proc *ret) _must_check_;

/* Forks a process that does not stay ours: it becomes a child of the nearest sub-reaper above
 * (PR_SET_CHILD_SUBREAPER). Returns 0 in the new process, once that is so and not before; 1 in the
 * caller, which has waited for the process in between; or a negative errno. */
int proc_fork_orphan(void) _must_check_;

/* Forks a process that is a child of our parent, not of us (clone(2), CLONE_PARENT). No library is
 * told (pthread_atfork(3)), and only the calling thread exists in it, whatever the others were just
 * doing: it must not allocate memory, nor take a lock. With @same_fds it has the same descriptors,
 * not copies of them: what one of the two opens, moves or closes changes for both, and all of it
 * stays open until both have ended. Returns 0 in it, 1 in the caller, or a negative errno. */
int proc_fork_sibling(bool same_fds) _must_check_;

struct proc_exec {
    const char *path; /* execve(2) of this; no search */
    char *const *argv, *const *envp;
    const char *cwd; /* directory to enter; NULL: stay */
    const int *fds;  /* become first_fd, first_fd + 1 ...; all others above are closed */
    size_t n_fds;
    int first_fd;                /* 3, or 0 when fds begin with the standard ones */
    const struct rlimit *nofile; /* RLIMIT_NOFILE of the program; NULL: as it is here */
    bool stays;                  /* in our process group, and when we end */
};

/* Starts another program: clone3(2) with a pidfd, then in the child: own process group, default
 * signals, death with the parent (or none of the first and the last: @stays), descriptors,
 * directory, execve. What fails in the child is written to descriptor 2 and ends it with code 127.
 * Never blocks. Returns 0 or a negative errno.
 */
int proc_spawn(const struct proc_exec *exec, struct proc *ret) _must_check_;

/* Takes charge of a child that another process forked for us (its parent died, and we are the
 * sub-reaper). -ECHILD if @pid is no child of ours. */
int proc_adopt(pid_t pid, struct proc *ret) _must_check_;

/* Asks the kernel to send SIGKILL to this process when its parent ends (prctl(2),
 * PR_SET_PDEATHSIG), then checks that the parent still is @parent: -ESRCH if it is not. A change of
 * credentials clears the request: call it after the last one. */
int proc_die_with_parent(pid_t parent) _must_check_;

/* As that, with a signal that leaves time to clean up. */
int proc_end_with_parent(pid_t parent, int sig) _must_check_;

/* Makes orphaned descendants this process's children (PR_SET_CHILD_SUBREAPER). */
int proc_become_subreaper(void) _must_check_;

/* Default action for every signal, nothing blocked. */
void proc_reset_signals(void);
/* Nothing blocked, actions as they are. */
void proc_unblock_signals(void);

/* Writing to a closed pipe or socket fails with EPIPE from now on and does nothing else. Not the
 * same as ignoring SIGPIPE, which programs that are started later would inherit. */
void proc_catch_sigpipe(void);

/* -ESRCH when it has ended and been reaped. */
int proc_signal(const struct proc *p, int sig);

/* Signals the process group that @p made for itself (proc_spawn() without @stays) and leads: what
 * it has started as well. For a child that has not been reaped, or another group could have that
 * number by now. */
void proc_signal_group(const struct proc *p, int sig);

/* The threads of this process, by gettid(2), and its open descriptors: appended to *@ret, which is
 * allocated and the caller's. Each returns 0 or a negative errno. */
int proc_list_threads(int **ret, size_t *ret_n) _must_check_;
int proc_list_fds(int **ret, size_t *ret_n) _must_check_;

/* How many threads this process has; 0 if it cannot be found out. */
size_t proc_count_threads(void);

/* The state of a process as in ps(1), "T" for a stopped one; 0 if it is not there (proc(5)). */
char proc_state(pid_t pid);

/* Reaps @p if it has ended: 1 with *@ret filled (waitid(2)) and @p made PROC_NONE, 0 if it still
 * runs, or a negative errno (-ECHILD: not our child). */
int proc_reap(struct proc *p, siginfo_t *ret) _must_check_;

/* Closes the pidfd and forgets the process without waiting for it. */
void proc_done(struct proc *p);

/* "exited with code 3", "killed by signal 9 (Killed)"; "ended" of an @info that is all zero. */
const char *proc_describe_end(const siginfo_t *info, char *text, size_t size);
