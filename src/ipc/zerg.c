/* SPDX-License-Identifier: MIT */
/* The greeting and its sockets. What the other side sends is checked before anything of it is used:
 * the length, the words, and that there are as many descriptors as it says, and room for all. */
#include "ipc/zerg.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd-pass.h"

#define GREETING_LEN (sizeof(ZERG_GREETING) - 1)

int zerg_send(int fd, const int *fds, size_t n)
{
    int count = (int)n;
    const struct iovec iov[] = {{.iov_base = (void *)ZERG_GREETING, .iov_len = GREETING_LEN},
                                {.iov_base = &count, .iov_len = sizeof(count)}};
    ssize_t sent = fd_pass_send(fd, iov, COUNT_OF(iov), fds, n);

    return sent < 0 ? (int)sent : 0;
}

static int wait_for_input(int fd, uint64_t timeout_us)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    uint64_t end_us = clock_now_us() + timeout_us;
    int n = 0;

    do {
        uint64_t now_us = clock_now_us();
        n = poll(&p, 1, now_us < end_us ? (int)((end_us - now_us) / US_PER_MS) + 1 : 0);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n == 0 ? -ETIMEDOUT : 0;
}

int zerg_receive(int fd, uint64_t timeout_us, int ret_fds[ZERG_MAX_FDS])
{
    char text[GREETING_LEN];
    int count = -1;
    const struct iovec iov[] = {{.iov_base = text, .iov_len = sizeof(text)},
                                {.iov_base = &count, .iov_len = sizeof(count)}};
    struct fd_passed passed;
    int r = wait_for_input(fd, timeout_us);

    if (r < 0)
        return r;
    ssize_t len = fd_pass_receive(fd, iov, COUNT_OF(iov), MSG_DONTWAIT, &passed);
    if (len < 0)
        return (int)len;
    bool good = (size_t)len == sizeof(text) + sizeof(count) &&
                memcmp(text, ZERG_GREETING, sizeof(text)) == 0 && count >= 0 &&
                (size_t)count == passed.n_fds && !passed.is_cut;
    if (!good) {
        fd_passed_close(&passed);
        return -EPROTO;
    }
    memcpy(ret_fds, passed.fds, sizeof(int) * passed.n_fds);
    return count;
}

int zerg_ask(const char *address, uint64_t timeout_us, int ret_fds[ZERG_MAX_FDS],
             struct errmsg *err)
{
    const struct timeval wait = {.tv_sec = (time_t)(timeout_us / US_PER_SEC),
                                 .tv_usec = (suseconds_t)(timeout_us % US_PER_SEC)};
    uint64_t end_us = clock_now_us() + timeout_us;
    struct addr addr;
    int r = addr_parse(address, &addr, err);

    if (r < 0)
        return r;
    if (addr.fd >= 0 || addr.sa.any.sa_family != AF_UNIX)
        return errmsg_set(
            err, -EINVAL,
            "%s is no UNIX socket: only through a path or @NAME can sockets be passed", address);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0)
        return errmsg_set_errno(err, -errno, "cannot make a socket");
    /* Not non-blocking: a server whose backlog is full could then not be waited for. */
    if (connect(fd, &addr.sa.any, addr.len) < 0)
        return errmsg_set_errno(err, -errno, "cannot reach the zerg server at %s", address);
    uint64_t now_us = clock_now_us();
    r = zerg_receive(fd, end_us - MIN(now_us, end_us), ret_fds);
    if (r == -EPROTO)
        return errmsg_set(err, r, "%s does not answer as a zerg server does", address);
    return r < 0 ? errmsg_set_errno(err, r, "no sockets from the zerg server at %s", address) : r;
}
