/* SPDX-License-Identifier: MIT */
/* Descriptors: flags, numbers that mean something, and reading to the end. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

int fd_close_from(int first)
{
    return close_range((unsigned)first, UINT_MAX, 0) < 0 ? -errno : 0;
}

int fd_set_cloexec(int fd, bool on)
{
    return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) < 0 ? -errno : 0;
}

int fd_set_nonblock(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0)
        return -errno;
    flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int fd_arrange(int first, const int *fds, size_t n_fds)
{
    int limit = first + (int)n_fds;
    int moved[16];

    if (n_fds > COUNT_OF(moved))
        return -E2BIG;

    /* Out of the way first: a target number may be another one's source. */
    for (size_t i = 0; i < n_fds; i++) {
        moved[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD_CLOEXEC, limit);
        if (fds[i] >= 0 && moved[i] < 0)
            return -errno;
    }
    for (size_t i = 0; i < n_fds; i++) {
        if (moved[i] < 0)
            (void)close(first + (int)i); /* usually not open at all */
        else if (dup2(moved[i], first + (int)i) < 0)
            return -errno;
    }
    return fd_close_from(limit);
}

int fd_socketpair(int type, int ret_fds[2])
{
    return socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ret_fds) < 0 ? -errno : 0;
}

int fd_read_all(int fd, size_t max, char **ret_text, size_t *ret_len)
{
    _cleanup_(buf_done) struct buf b = {0};

    for (;;) {
        int r = buf_reserve(&b, 4096 + 1);
        if (r < 0)
            return r;
        ssize_t n = read(fd, b.data + b.end, b.capacity - b.end - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        b.end += (size_t)n;
        if (buf_len(&b) > max)
            return -EFBIG;
    }
    b.data[b.end] = '\0';
    *ret_len = b.end;
    *ret_text = TAKE_PTR(b.data);
    return 0;
}

int file_read_all(const char *path, size_t max, char **ret_text, size_t *ret_len)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0)
        return -errno;
    return fd_read_all(fd, max, ret_text, ret_len);
}

int file_read_regular(const char *path, size_t max, char **ret_text, size_t *ret_len)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    struct stat st = {0};

    if (fd < 0 || fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EBADF;
    return fd_read_all(fd, max, ret_text, ret_len);
}

static int compare_ints(const void *a, const void *b)
{
    return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

int fd_close_all_except(const int *keep, size_t n_keep)
{
    _cleanup_free_ int *sorted = calloc(n_keep + 1, sizeof(*sorted));
    int next = 3; /* the lowest that is not decided yet */

    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < n_keep; i++)
        sorted[i] = keep[i];
    qsort(sorted, n_keep, sizeof(*sorted), compare_ints);
    for (size_t i = 0; i < n_keep; i++) {
        if (sorted[i] < next)
            continue;
        if (sorted[i] > next && close_range((unsigned)next, (unsigned)sorted[i] - 1, 0) < 0)
            return -errno;
        next = sorted[i] + 1;
    }
    return fd_close_from(next);
}

int fd_open_standard(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            return -errno;
    return 0;
}

int fd_parse_socket(const char *text, int type)
{
    int actual = 0;
    socklen_t len = sizeof(actual);
    char *end = NULL;

    long fd = strtol(text, &end, 10);
    if (*text == '\0' || *end || fd < 0 || fd > INT32_MAX ||
        getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &actual, &len) < 0 || actual != type ||
        fd_set_nonblock((int)fd, true) < 0 || fd_set_cloexec((int)fd, true) < 0)
        return -EBADF;
    return (int)fd;
}
