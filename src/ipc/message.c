/* SPDX-License-Identifier: MIT */
/* Packets of the processes of one machine to each other: framing, descriptors, the sender's pid.
 * What messages mean is in the headers that number them (status.h, family.h). */
#include "ipc/message.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

struct header {
    uint16_t version;
    uint16_t type;
    uint32_t value;
    uint64_t reserved;
};
static_assert(sizeof(struct header) == 16, "the header is part of the status channel's contract");

int message_socketpair(int ret_fds[2])
{
    int on = 1;
    int r = fd_socketpair(SOCK_SEQPACKET | SOCK_NONBLOCK, ret_fds);

    if (r < 0)
        return r;
    for (int i = 0; i < 2; i++)
        if (setsockopt(ret_fds[i], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0) {
            r = -errno;
            (void)close(ret_fds[0]);
            (void)close(ret_fds[1]);
            return r;
        }
    return 0;
}

int message_send(int fd, const struct message *m)
{
    struct header head = {.version = MESSAGE_VERSION, .type = m->type, .value = m->value};
    struct iovec iov[2] = {
        {.iov_base = &head, .iov_len = sizeof(head)},
        {.iov_base = (void *)m->data, .iov_len = MIN(m->len, (size_t)MESSAGE_MAX_BYTES)},
    };
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_MAX_FDS)];
    } control = {0};
    struct msghdr hdr = {.msg_iov = iov, .msg_iovlen = m->len > 0 ? 2 : 1};

    if (m->n_fds > MESSAGE_MAX_FDS)
        return -E2BIG;
    if (m->n_fds > 0) {
        size_t size = sizeof(int) * m->n_fds;
        hdr.msg_control = control.bytes;
        hdr.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *c = CMSG_FIRSTHDR(&hdr);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(c), m->fds, size);
    }
    return sendmsg(fd, &hdr, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

int message_send_text(int fd, uint16_t type, uint32_t value, const char *text)
{
    struct message m = {.type = type, .value = value, .data = text, .len = strlen(text)};

    return message_send(fd, &m);
}

/* Takes descriptors and the sender's pid out of the control data. False if there are more
 * descriptors than a message has, which the kernel's padding leaves room for; they are closed. */
static bool read_control(struct msghdr *hdr, struct message *m)
{
    bool fit = true;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
        if (c->cmsg_level != SOL_SOCKET)
            continue;
        if (c->cmsg_type == SCM_CREDENTIALS) {
            struct ucred cred;
            memcpy(&cred, CMSG_DATA(c), sizeof(cred));
            m->sender = cred.pid;
        } else if (c->cmsg_type == SCM_RIGHTS) {
            size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < n; i++) {
                int fd = -1;
                memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
                fit = m->n_fds < MESSAGE_MAX_FDS;
                if (fit)
                    m->fds[m->n_fds++] = fd;
                else
                    (void)close(fd);
            }
        }
    }
    return fit;
}

/* recvmsg(2). A peer that closes before it has read everything leaves us ECONNRESET, once, in front
 * of what it said last: that is an end like any other, and its last words come first. */
static ssize_t receive_packet(int fd, struct msghdr *hdr)
{
    const struct msghdr fresh = *hdr;
    ssize_t n = recvmsg(fd, hdr, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

    if (n >= 0 || errno != ECONNRESET)
        return n;
    *hdr = fresh;
    return recvmsg(fd, hdr, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
}

int message_receive(int fd, struct message_buffer *buf, struct message *ret)
{
    struct iovec iov = {.iov_base = buf->bytes, .iov_len = sizeof(buf->bytes) - 1};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_MAX_FDS) + CMSG_SPACE(sizeof(struct ucred))];
    } control;
    struct msghdr hdr = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof(control.bytes),
    };
    struct message m = {0};
    struct header head;

    ssize_t n = receive_packet(fd, &hdr);
    if (n < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    bool fit = read_control(&hdr, &m);
    if (n == 0 && m.n_fds == 0 && m.sender == 0) /* an empty packet would have a sender */
        return 0;
    if (!fit || (size_t)n < sizeof(head) || (hdr.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
        message_close_fds(&m);
        return -EPROTO;
    }
    memcpy(&head, buf->bytes, sizeof(head));
    if (head.version != MESSAGE_VERSION) {
        message_close_fds(&m);
        return -EPROTO;
    }
    buf->bytes[n] = '\0';
    m.type = head.type;
    m.value = head.value;
    m.data = buf->bytes + sizeof(head);
    m.len = (size_t)n - sizeof(head);
    *ret = m;
    return 1;
}

void message_close_fds(struct message *m)
{
    for (size_t i = 0; i < m->n_fds; i++)
        (void)close(m->fds[i]);
    m->n_fds = 0;
}
