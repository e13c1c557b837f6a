/* SPDX-License-Identifier: MIT */
/* One fork is enough: a session leader that opens no terminal gets none, and files are opened with
 * O_NOCTTY. */
#include "instance/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/proc.h"

/* In the process that was started: ends as the instance fares. */
static _noreturn_ void wait_and_end(struct proc *child, int fd)
{
    struct pollfd ended = {.fd = child->pidfd, .events = POLLIN};
    siginfo_t end = {0};
    char byte = 0;
    ssize_t n = 0;

    while ((n = read(fd, &byte, 1)) < 0 && errno == EINTR)
        ;
    if (n == 1)
        _exit(EXIT_SUCCESS);
    while (poll(&ended, 1, -1) != 1)
        ;
    bool known = proc_reap(child, &end) == 1 && end.si_code == CLD_EXITED;
    _exit(known && end.si_status != 0 ? end.si_status : EXIT_FAILURE);
}

static int leave_terminal(const char *file, struct errmsg *err)
{
    _cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    _cleanup_close_ int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_CLOEXEC, 0640);

    if (fd < 0 || null_fd < 0)
        return errmsg_set_errno(err, -errno, "daemonize: cannot open %s", file);
    if (setsid() < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0 ||
        dup2(fd, STDERR_FILENO) < 0)
        return errmsg_set_errno(err, -errno, "daemonize: cannot leave the terminal");
    return 0;
}

int daemon_begin(const char *file, struct errmsg *err)
{
    struct proc child = PROC_NONE;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return errmsg_set_errno(err, -errno, "daemonize");
    int r = proc_fork(&child);
    if (r == 1) {
        (void)close(fds[1]);
        wait_and_end(&child, fds[0]);
    }
    (void)close(fds[0]);
    if (r == 0)
        r = leave_terminal(file, err);
    else
        (void)errmsg_set_errno(err, r, "daemonize");
    if (r < 0) {
        (void)close(fds[1]);
        return r;
    }
    return fds[1];
}

void daemon_ready(int fd)
{
    (void)!write(fd, "", 1); /* nobody may be waiting any more */
    (void)close(fd);
}
