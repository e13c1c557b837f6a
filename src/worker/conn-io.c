/* SPDX-License-Identifier: MIT */
/* Reading and writing, plain or through TLS. Errors of TLS are said in the debug log: they are the
 * client's, whatever they are. */
#include "worker/conn-io.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "base/log.h"
#include "tls/tls.h"
#include "worker/conn.h"

#define PLAIN_ROOM_BYTES ((size_t)4096) /* the rest of most heads, in one call */

/* Interrupted is the same as not ready: epoll tells. */
static ssize_t outcome(ssize_t n)
{
    if (n >= 0)
        return n;
    return errno == EINTR ? -EAGAIN : -errno;
}

static ssize_t tls_outcome(const struct conn *c, ssize_t n, const struct errmsg *err)
{
    if (n < 0 && n != -EAGAIN && *err->text)
        log_debug("%s: TLS: %s", c->remote_addr, err->text);
    return n;
}

size_t conn_io_room(const struct conn *c)
{
    return c->tls ? TLS_RECORD_BYTES : PLAIN_ROOM_BYTES;
}

ssize_t conn_io_read(struct conn *c, void *buf, size_t len)
{
    struct errmsg err = {""};

    if (c->tls)
        return tls_outcome(c, tls_read(c->tls, buf, len, &err), &err);
    return outcome(recv(c->io.fd, buf, len, 0));
}

ssize_t conn_io_write(struct conn *c, const struct iovec *iov, size_t n_iov)
{
    const struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = n_iov};
    struct errmsg err = {""};

    if (c->tls)
        return tls_outcome(c, tls_writev(c->tls, iov, n_iov, &err), &err);
    return outcome(sendmsg(c->io.fd, &msg, MSG_NOSIGNAL));
}

ssize_t conn_io_send_file(struct conn *c, int file, uint64_t offset, size_t len)
{
    off_t from = (off_t)offset;
    struct errmsg err = {""};

    if (c->tls)
        return tls_outcome(c, tls_send_file(c->tls, file, offset, len, &err), &err);
    ssize_t n = outcome(sendfile(c->io.fd, file, &from, len));
    return n == 0 && len > 0 ? -EIO : n;
}

int conn_io_end(struct conn *c)
{
    int r = c->tls ? tls_shutdown(c->tls) : 0;

    if (r < 0)
        return r;
    return shutdown(c->io.fd, SHUT_WR) < 0 ? -errno : 0;
}

uint32_t conn_io_events(const struct conn *c, bool to_write)
{
    if (c->tls)
        return (uint32_t)(to_write ? tls_write_events(c->tls) : tls_read_events(c->tls));
    return to_write ? EPOLLOUT : EPOLLIN;
}
