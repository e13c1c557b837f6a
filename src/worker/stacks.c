/* SPDX-License-Identifier: MIT */
/* Each thread is sent a signal whose handler writes down where it was (backtrace(3)). All text goes
 * through a file in memory: handlers must not format lines of a log. */
#include "worker/stacks.h"

#include <dirent.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"

#define MAX_FRAMES     40
#define MAX_TEXT_BYTES ((size_t)256 * 1024)
#define ANSWER_US      (30 * US_PER_MS) /* for a thread to get to its handler */
#define COPY_SECONDS   1                /* that it may take */

static int text_fd = -1;
static sem_t answered;

int stacks_signal(void)
{
    return SIGRTMAX - 3;
}

static void on_signal(int sig)
{
    void *frames[MAX_FRAMES];
    int saved = errno;

    (void)sig;
    /* The first two are this function and the kernel's way into it. */
    int n = backtrace(frames, MAX_FRAMES);
    if (n > 2)
        backtrace_symbols_fd(frames + 2, n - 2, text_fd);
    (void)sem_post(&answered);
    errno = saved;
}

void stacks_prepare(void)
{
    void *frame = NULL;

    (void)backtrace(&frame, 1); /* opens a library: a handler could not */
}

void stacks_start(void)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    closep(&text_fd); /* of the worker that this process is a copy of */
    stacks_prepare();
    (void)sem_init(&answered, 0, 0);
    (void)sigaction(stacks_signal(), &sa, NULL); /* it exists and can be caught */
}

/* What the kernel calls the thread, and what it waits for there. */
static void describe_thread(int tid)
{
    _cleanup_free_ char *name = NULL, *wait = NULL;
    char path[64];
    size_t len = 0;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/comm", tid);
    (void)!file_read_all(path, 64, &name, &len);
    if (name && len > 0)
        name[len - 1] = '\0';
    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/wchan", tid);
    (void)!file_read_all(path, 128, &wait, &len);
    (void)dprintf(text_fd, "thread %d (%s), in the kernel at: %s\n", tid, name ? name : "?",
                  wait && *wait && *wait != '0' ? wait : "nothing");
}

static void ask_thread(int tid)
{
    struct timespec until;

    if (syscall(SYS_tgkill, getpid(), tid, stacks_signal()) < 0)
        return;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)ANSWER_US * 1000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (sem_timedwait(&answered, &until) < 0)
        if (errno != EINTR) {
            (void)dprintf(text_fd, "it does not answer\n");
            break;
        }
}

/* With @gently those that wait are left alone: a signal ends a sleep, and other calls. */
static void ask_threads(bool gently)
{
    DIR *dir = opendir("/proc/self/task");

    for (const struct dirent *e = NULL; dir && (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        int tid = atoi(e->d_name); /* NOLINT(cert-err34-c): the kernel's word */
        describe_thread(tid);
        if (!gently || proc_state(tid) == 'R')
            ask_thread(tid);
    }
    if (dir)
        (void)closedir(dir);
}

/* The file is never closed: a thread that answers late writes into it and nowhere else. */
static bool begin_text(void)
{
    if (text_fd < 0)
        text_fd = memfd_create("liege-stacks", MFD_CLOEXEC);
    while (sem_trywait(&answered) == 0) /* late answers of the last time */
        ;
    return text_fd >= 0 && ftruncate(text_fd, 0) == 0 && lseek(text_fd, 0, SEEK_SET) == 0;
}

static void log_the_text(int level)
{
    _cleanup_free_ char *text = NULL;
    size_t len = 0;

    if (lseek(text_fd, 0, SEEK_SET) == 0 && fd_read_all(text_fd, MAX_TEXT_BYTES, &text, &len) == 0)
        log_text(level, text, len);
}

void stacks_log(const struct apps *apps)
{
    if (!begin_text())
        return;
    apps_dump(apps, text_fd);
    ask_threads(false);
    log_the_text(LOG_ERR);
}

/* The interpreters' part, by a copy of this process: nothing changes there under the eyes of who
 * looks, and if that one stumbles over what it finds, nobody is hurt. */
static void dump_in_copy(const struct apps *apps)
{
    int fds[2]; /* closed when the copy has ended */

    if (pipe2(fds, O_CLOEXEC) < 0)
        return;
    int r = proc_fork_sibling(false);
    if (r == 0) {
        (void)signal(SIGALRM, SIG_DFL); /* the application may have its own handler */
        (void)alarm(COPY_SECONDS);
        apps_dump(apps, text_fd);
        _exit(EXIT_SUCCESS);
    }
    (void)close(fds[1]);
    struct pollfd p = {.fd = fds[0], .events = POLLIN};
    if (r > 0 && poll(&p, 1, COPY_SECONDS * 1000) == 0)
        (void)dprintf(text_fd, "the interpreters cannot be looked at\n");
    (void)close(fds[0]);
}

void stacks_show(const struct apps *apps)
{
    if (!begin_text())
        return;
    dump_in_copy(apps);
    ask_threads(true);
    log_the_text(LOG_INFO);
}
