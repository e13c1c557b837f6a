/* SPDX-License-Identifier: MIT */
/* Packets of the processes of one machine to each other: framing, descriptors, the sender's pid.
 * What messages mean is in the headers that number them (status.h, family.h). */
#include "ipc/message.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd-pass.h"
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

    if (m->n_fds > MESSAGE_MAX_FDS)
        return -E2BIG;
    ssize_t n = fd_pass_send(fd, iov, m->len > 0 ? 2 : 1, m->fds, m->n_fds);
    return n < 0 ? (int)n : 0;
}

int message_send_text(int fd, uint16_t type, uint32_t value, const char *text)
{
    struct message m = {.type = type, .value = value, .data = text, .len = strlen(text)};

    return message_send(fd, &m);
}

/* A peer that closes before it has read everything leaves us ECONNRESET, once, in front of what it
 * said last: that is an end like any other, and its last words come first. */
static ssize_t receive_packet(int fd, const struct iovec *iov, struct fd_passed *ret)
{
    ssize_t n = fd_pass_receive(fd, iov, 1, MSG_DONTWAIT, ret);

    return n == -ECONNRESET ? fd_pass_receive(fd, iov, 1, MSG_DONTWAIT, ret) : n;
}

int message_receive(int fd, struct message_buffer *buf, struct message *ret)
{
    const struct iovec iov = {.iov_base = buf->bytes, .iov_len = sizeof(buf->bytes) - 1};
    struct fd_passed passed;
    struct message m = {0};
    struct header head;

    ssize_t n = receive_packet(fd, &iov, &passed);
    if (n < 0)
        return n == -EINTR ? -EAGAIN : (int)n;
    if (n == 0 && passed.n_fds == 0 && passed.sender.pid == 0) /* an empty packet has a sender */
        return 0;
    if (passed.n_fds > MESSAGE_MAX_FDS || (size_t)n < sizeof(head) || passed.is_cut) {
        fd_passed_close(&passed);
        return -EPROTO;
    }
    m.sender = passed.sender.pid;
    m.n_fds = passed.n_fds;
    memcpy(m.fds, passed.fds, passed.n_fds * sizeof(int));
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
