/* SPDX-License-Identifier: MIT */
/* Sending on a connection: bytes, then perhaps a piece of a file, as much as the socket takes. What
 * it does not take is kept (copied, or as a descriptor) for the loop, which sends it when there is
 * room; only an application that goes on writing to a slow client waits here, and for no longer
 * than socket-timeout without progress. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "worker/conn.h"
#include "worker/worker-private.h"

#define FILE_TURN_BYTES ((size_t)1024 * 1024)

void conn_drop_file(struct conn *c)
{
    closep(&c->file.fd);
    c->file = (struct conn_file){.fd = -1};
}

/* Sends a part of the file, then the other connections have their turn. */
static int send_file(struct conn *c)
{
    off_t offset = (off_t)c->file.offset;
    size_t len = (size_t)MIN(c->file.left, (uint64_t)FILE_TURN_BYTES);
    ssize_t n = sendfile(c->io.fd, c->file.fd, &offset, len);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0)
        return -EIO; /* the file became shorter: the client was promised more */
    c->file.offset += (uint64_t)n;
    c->file.left -= (uint64_t)n;
    if (c->file.left == 0)
        conn_drop_file(c);
    return 0;
}

int conn_send(struct conn *c, const struct iovec *iov, size_t n_iov)
{
    struct iovec all[5];
    struct msghdr msg = {.msg_iov = all};
    size_t waiting = buf_len(&c->out), sent = 0;

    assert(n_iov < COUNT_OF(all) && c->file.fd < 0);
    if (waiting > 0)
        all[msg.msg_iovlen++] = (struct iovec){.iov_base = buf_at(&c->out), .iov_len = waiting};
    for (size_t i = 0; i < n_iov; i++)
        if (iov[i].iov_len > 0)
            all[msg.msg_iovlen++] = iov[i];
    if (msg.msg_iovlen == 0)
        return 0;

    ssize_t n = sendmsg(c->io.fd, &msg, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return -errno;
    sent = n > 0 ? (size_t)n : 0;

    size_t of_out = MIN(sent, waiting);
    buf_consume(&c->out, of_out);
    sent -= of_out;
    for (size_t i = 0; i < n_iov; i++) {
        size_t skip = MIN(sent, iov[i].iov_len);
        sent -= skip;
        int r = buf_append(&c->out, (const char *)iov[i].iov_base + skip, iov[i].iov_len - skip);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Sends what waits, as far as there is room. Returns 0 or a negative errno. */
int conn_flush(struct conn *c)
{
    while (buf_len(&c->out) > 0) {
        ssize_t n = send(c->io.fd, buf_at(&c->out), buf_len(&c->out), MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        buf_consume(&c->out, (size_t)n);
    }
    return c->file.fd >= 0 ? send_file(c) : 0;
}

int conn_send_file(struct conn *c, int fd, uint64_t offset, uint64_t len)
{
    assert(c->file.fd < 0);

    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return -errno;
    c->file = (struct conn_file){.fd = copy, .offset = offset, .left = len};
    return conn_flush(c);
}

bool conn_all_sent(const struct conn *c)
{
    return buf_len(&c->out) == 0 && c->file.fd < 0;
}

bool conn_takes(struct conn *c)
{
    int before = c->queued;

    if (ioctl(c->io.fd, SIOCOUTQ, &c->queued) < 0)
        c->queued = 0;
    return c->queued < before;
}

int conn_wait_sent(struct conn *c, size_t max)
{
    (void)conn_takes(c); /* from now on */
    while (buf_len(&c->out) > max || c->file.fd >= 0) {
        struct pollfd p = {.fd = c->io.fd, .events = POLLOUT};
        apps_wait_begin(c->worker->start->apps);
        int n = poll(&p, 1, (int)(c->worker->conf->socket_timeout_us / US_PER_MS));
        apps_wait_end(c->worker->start->apps);
        if (n == 0 && !conn_takes(c))
            return -ETIMEDOUT;
        if (n < 0 && errno != EINTR)
            return -errno;
        int r = conn_flush(c);
        if (r < 0)
            return r;
        (void)conn_takes(c); /* from here on */
    }
    return 0;
}
