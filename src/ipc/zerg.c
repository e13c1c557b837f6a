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

#define GREETING_LEN (sizeof(ZERG_GREETING) - 1)

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * ZERG_MAX_FDS)];
};

int zerg_send(int fd, const int *fds, size_t n)
{
    int count = (int)n;
    struct iovec iov[] = {{.iov_base = (void *)ZERG_GREETING, .iov_len = GREETING_LEN},
                          {.iov_base = &count, .iov_len = sizeof(count)}};
    union control control = {0};
    struct msghdr hdr = {.msg_iov = iov, .msg_iovlen = COUNT_OF(iov)};

    if (n > ZERG_MAX_FDS)
        return -E2BIG;
    if (n > 0) {
        hdr.msg_control = control.bytes;
        hdr.msg_controllen = CMSG_SPACE(sizeof(int) * n);
        struct cmsghdr *c = CMSG_FIRSTHDR(&hdr);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int) * n);
        memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
    }
    return sendmsg(fd, &hdr, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* Returns how many there are: no more than there is room for, as the kernel sees to. */
static size_t take_fds(struct msghdr *hdr, int ret_fds[ZERG_MAX_FDS])
{
    size_t n = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        n = MIN((c->cmsg_len - CMSG_LEN(0)) / sizeof(int), (size_t)ZERG_MAX_FDS);
        memcpy(ret_fds, CMSG_DATA(c), sizeof(int) * n);
    }
    return n;
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
    struct iovec iov[] = {{.iov_base = text, .iov_len = sizeof(text)},
                          {.iov_base = &count, .iov_len = sizeof(count)}};
    union control control;
    struct msghdr hdr = {
        .msg_iov = iov,
        .msg_iovlen = COUNT_OF(iov),
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    int fds[ZERG_MAX_FDS];
    int r = wait_for_input(fd, timeout_us);

    if (r < 0)
        return r;
    ssize_t len = recvmsg(fd, &hdr, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (len < 0)
        return -errno;
    size_t n = take_fds(&hdr, fds);
    bool good = (size_t)len == sizeof(text) + sizeof(count) &&
                memcmp(text, ZERG_GREETING, sizeof(text)) == 0 && count >= 0 &&
                (size_t)count == n && !(hdr.msg_flags & MSG_CTRUNC);
    if (good) {
        memcpy(ret_fds, fds, sizeof(int) * n);
        return (int)n;
    }
    for (size_t i = 0; i < n; i++)
        (void)close(fds[i]);
    return -EPROTO;
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
