/* SPDX-License-Identifier: MIT */
/* Folders, captured output, children and descriptors of unit tests. */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

#define PATIENCE_MS 20000

void unit_make_folder(char path[sizeof(UNIT_FOLDER)])
{
    memcpy(path, UNIT_FOLDER, sizeof(UNIT_FOLDER));
    assert_non_null(mkdtemp(path));
}

void unit_remove_folder(const char *path)
{
    DIR *dir = opendir(path);

    assert_non_null(dir);
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir))
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            assert_return_code(unlinkat(dirfd(dir), e->d_name, 0), errno);
    (void)closedir(dir);
    assert_return_code(rmdir(path), errno);
}

size_t unit_count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(dir);
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir))
        n += e->d_name[0] != '.';
    (void)closedir(dir);
    return n - 1; /* without the one that looked */
}

static int capture_fd = -1, saved_fd = -1;

void unit_begin_capture(void)
{
    capture_fd = memfd_create("captured", MFD_CLOEXEC);
    assert_true(capture_fd >= 0);
    saved_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    assert_true(saved_fd >= 0);
    assert_int_equal(dup2(capture_fd, STDERR_FILENO), STDERR_FILENO);
}

char *unit_end_capture(void)
{
    char *text = NULL;
    size_t len = 0;

    assert_int_equal(dup2(saved_fd, STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(lseek(capture_fd, 0, SEEK_SET), 0);
    assert_int_equal(fd_read_all(capture_fd, 1 << 20, &text, &len), 0);
    (void)close(saved_fd);
    (void)close(capture_fd);
    saved_fd = capture_fd = -1;
    return text;
}

void unit_check(bool good, const char *condition, const char *file, int line)
{
    if (good)
        return;
    (void)dprintf(STDERR_FILENO, "%s:%d: %s\n", file, line, condition);
    _exit(EXIT_FAILURE);
}

struct proc unit_start_child(void (*fn)(void *data), void *data)
{
    struct proc child = PROC_NONE;
    int r = proc_fork(&child);

    if (r == 0) {
        fn(data);
        _exit(EXIT_SUCCESS);
    }
    assert_int_equal(r, 1);
    return child;
}

int unit_wait_child(struct proc *child)
{
    siginfo_t end = {0};

    unit_wait_readable(child->pidfd);
    assert_int_equal(proc_reap(child, &end), 1);
    return end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status;
}

int unit_run_child(void (*fn)(void *data), void *data)
{
    struct proc child = unit_start_child(fn, data);

    return unit_wait_child(&child);
}

void unit_wait_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n = 0;

    do
        n = poll(&p, 1, PATIENCE_MS);
    while (n < 0 && errno == EINTR);
    assert_int_equal(n, 1);
}
