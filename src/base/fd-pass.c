/* SPDX-License-Identifier: MIT */
#include "base/fd-pass.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Room for descriptors, and for the sender beside them. */
union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * FD_PASS_MAX) + CMSG_SPACE(sizeof(struct ucred))];
};

ssize_t fd_pass_send(int fd, const struct iovec *iov, size_t n_iov, const int *fds, size_t n_fds)
{
    const size_t size = sizeof(int) * n_fds;
    struct msghdr hdr = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n_iov};
    union control control;

    if (n_fds > FD_PASS_MAX)
        return -E2BIG;
    if (n_fds > 0) {
        hdr.msg_control = control.bytes;
        hdr.msg_controllen = CMSG_SPACE(size);
        memset(control.bytes, 0, CMSG_SPACE(size));
        struct cmsghdr *c = CMSG_FIRSTHDR(&hdr);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(c), fds, size);
    }
    ssize_t n = sendmsg(fd, &hdr, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n < 0 ? -errno : n;
}

/* The kernel's padding may leave room for one more than FD_PASS_MAX. */
static void take_fds(struct fd_passed *p, const struct cmsghdr *c)
{
    const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

    for (size_t i = 0; i < n; i++) {
        int fd = -1;
        memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
        if (p->n_fds < FD_PASS_MAX) {
            p->fds[p->n_fds++] = fd;
        } else {
            (void)close(fd);
            p->is_cut = true;
        }
    }
}

ssize_t fd_pass_receive(int fd, const struct iovec *iov, size_t n_iov, int flags,
                        struct fd_passed *ret)
{
    union control control;
    struct msghdr hdr = {
        .msg_iov = (struct iovec *)iov,
        .msg_iovlen = n_iov,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };

    ret->n_fds = 0;
    ret->sender = (struct ucred){.pid = 0};
    ret->is_cut = false;
    ssize_t n = recvmsg(fd, &hdr, flags | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return -errno;
    ret->is_cut = hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&hdr); c; c = CMSG_NXTHDR(&hdr, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_CREDENTIALS)
            memcpy(&ret->sender, CMSG_DATA(c), sizeof(ret->sender));
        else if (c->cmsg_type == SCM_RIGHTS)
            take_fds(ret, c);
    }
    return n;
}

void fd_passed_close(struct fd_passed *p)
{
    for (size_t i = 0; i < p->n_fds; i++)
        (void)close(p->fds[i]);
    p->n_fds = 0;
}
