/* SPDX-License-Identifier: MIT */
/* The kernel knows which threads and descriptors there are (/proc/self), the languages what they
 * are to the application. Connected datagram sockets, of a log or of statistics, may be shared. */
#include "instance/fork-check.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/strv.h"

/* clang-format off */
/* How what /proc/self/fd shows begins. */
static const struct {
    const char *link, *is;
} shared[] = {
    { "pipe:[",                 "which is an end of a pipe" },
    { "anon_inode:[eventpoll]", "which waits for events (epoll)" },
    { "anon_inode:inotify",     "which watches files (inotify)" },
    { "anon_inode:[io_uring]",  "which is a queue of the kernel's (io_uring)" },
};
/* clang-format on */

int fork_check_begin(struct fork_baseline *before)
{
    return proc_list_fds(&before->fds, &before->n_fds);
}

int fork_check_add(struct fork_baseline *before, int fd)
{
    int *more = realloc(before->fds, (before->n_fds + 1) * sizeof(*more));

    if (!more)
        return -ENOMEM;
    more[before->n_fds++] = fd;
    before->fds = more;
    return 0;
}

void fork_check_done(struct fork_baseline *before)
{
    free(before->fds);
    *before = (struct fork_baseline){.fds = NULL};
}

static bool was_there(const struct fork_baseline *before, int fd)
{
    for (size_t i = 0; i < before->n_fds; i++)
        if (before->fds[i] == fd)
            return true;
    return false;
}

/* Findings */

struct findings {
    enum fork_check mode;
    const struct apps *apps;
    size_t n;
    char first[400];
};

static _printf_(2, 3) void report(struct findings *f, const char *fmt, ...)
{
    char text[sizeof(f->first)];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (f->n++ == 0)
        memcpy(f->first, text, sizeof(text));
    (void)log_full(f->mode == FORK_CHECK_REFUSE ? LOG_ERR : LOG_WARNING, 0, "fork-check: %s", text);
}

static void look_at_thread(struct findings *f, pid_t tid)
{
    char path[64], text[256] = "";
    _cleanup_free_ char *name = NULL;
    size_t len = 0;

    if (!apps_describe_thread(f->apps, tid, text, sizeof(text))) {
        (void)snprintf(path, sizeof(path), "/proc/self/task/%d/comm", (int)tid);
        if (file_read_all(path, 64, &name, &len) < 0)
            return; /* it has ended */
        (void)snprintf(text, sizeof(text), "\"%.*s\" of a library", (int)strcspn(name, "\n"), name);
    }
    report(f, "thread %s will not run in the workers: start it in each of them", text);
}

/* The other end of a pair, or of a client, of UNIX sockets has none. */
static bool has_name(const struct sockaddr_storage *sa, socklen_t len)
{
    return sa->ss_family != AF_UNIX || len > offsetof(struct sockaddr_un, sun_path);
}

/* What is dangerous about a descriptor, or false. */
static bool describe_sharing(int fd, char *text, size_t size)
{
    char path[64], link[PATH_MAX] = "", peer[128] = "";
    struct sockaddr_storage sa = {0};
    socklen_t len = sizeof(sa), type_len = sizeof(int);
    int type = 0;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0) {
        if (type == SOCK_DGRAM || getpeername(fd, (struct sockaddr *)&sa, &len) < 0)
            return false;
        (void)snprintf(text, size, "which is connected to %s",
                       has_name(&sa, len)
                           ? addr_format((struct sockaddr *)&sa, len, peer, sizeof(peer))
                           : "another without a name");
        return true;
    }
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (readlink(path, link, sizeof(link) - 1) < 0)
        return false;
    for (size_t i = 0; i < COUNT_OF(shared); i++)
        if (str_starts(link, shared[i].link)) {
            (void)snprintf(text, size, "%s", shared[i].is);
            return true;
        }
    return false;
}

static void look_at_fd(struct findings *f, int fd)
{
    char what[200] = "", who[160] = "";

    if (!describe_sharing(fd, what, sizeof(what)))
        return;
    bool known = apps_describe_fd(f->apps, fd, who, sizeof(who));
    report(f, "descriptor %d%s%s%s, %s, would be shared by all workers: open it in each of them",
           fd, known ? " (" : "", who, known ? ")" : "", what);
}

static int look_at_threads(struct findings *f)
{
    int *threads = NULL;
    size_t n = 0;

    int r = proc_list_threads(&threads, &n);
    for (size_t i = 0; i < n; i++)
        if (threads[i] != getpid())
            look_at_thread(f, threads[i]);
    free(threads);
    return r;
}

static int look_at_fds(struct findings *f, const struct fork_baseline *before)
{
    int *fds = NULL;
    size_t n = 0;

    int r = proc_list_fds(&fds, &n);
    for (size_t i = 0; i < n; i++)
        if (!was_there(before, fds[i]))
            look_at_fd(f, fds[i]);
    free(fds);
    return r;
}

int fork_check_end(const struct fork_baseline *before, enum fork_check mode,
                   const struct apps *apps, struct errmsg *err)
{
    struct findings f = {.mode = mode, .apps = apps};

    if (mode == FORK_CHECK_OFF)
        return 0;
    int r = look_at_threads(&f);
    if (r == 0)
        r = look_at_fds(&f, before);
    if (r < 0)
        return errmsg_set_errno(err, r, "fork-check: cannot look into /proc/self");
    if (f.n == 0 || mode == FORK_CHECK_WARN)
        return 0;
    return errmsg_set(err, -EBUSY, "fork-check: %s%s", f.first, f.n > 1 ? " (and more)" : "");
}
