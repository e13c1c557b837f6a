/* SPDX-License-Identifier: MIT */
/* The beginning of a connection through TLS: perhaps a PROXY header, then the handshake. Afterwards
 * it is a connection as any other, but for conn-io.c. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "proto/proxy.h"
#include "tls/tls.h"
#include "worker/conn.h"
#include "worker/worker-private.h"

/* True if the client sends nothing more. */
static bool has_ended(const struct conn *c)
{
    struct pollfd p = {.fd = c->io.fd, .events = POLLRDHUP};

    return poll(&p, 1, 0) > 0;
}

/* A PROXY header stands before TLS. It is looked at where it is, in the kernel, so that not a byte
 * of TLS is taken with it; until it is whole, epoll shall be silent (socket(7), SO_RCVLOWAT; with
 * UNIX sockets, whose writes come whole, it is not).
 * Returns 0 when it has been taken, or a negative errno; -EPROTO with *@ret_reason. */
static int take_proxy_header(struct conn *c, const char **ret_reason)
{
    char *scratch = crew_self()->scratch;
    struct proxy_header h = {0};

    ssize_t n = recv(c->io.fd, scratch, PROXY_MAX_BYTES, MSG_PEEK);
    if (n <= 0)
        return n < 0 ? (errno == EINTR ? -EAGAIN : -errno) : -ECONNABORTED;
    enum proxy_state state = proxy_parse(scratch, (size_t)n, &h);
    if (state == PROXY_REFUSED) {
        *ret_reason = h.reason;
        return -EPROTO;
    }
    int enough = state == PROXY_MORE ? (int)n + 1 : 1;
    if (setsockopt(c->io.fd, SOL_SOCKET, SO_RCVLOWAT, &enough, sizeof(enough)) < 0)
        return -errno;
    if (state == PROXY_MORE)
        return has_ended(c) ? -ECONNABORTED : -EAGAIN;
    if (recv(c->io.fd, scratch, h.len, 0) != (ssize_t)h.len)
        return -EIO; /* it was there */
    conn_take_proxy(c, &h);
    return 0;
}

/* Returns true when TLS is the next thing to speak. */
static bool pass_proxy_header(struct conn *c)
{
    const char *reason = "";
    int r = take_proxy_header(c, &reason);

    if (r == -EAGAIN)
        (void)conn_listen(c);
    else if (r == -EPROTO)
        conn_refuse_proxy(c, reason);
    else if (r < 0)
        conn_close(c);
    return r == 0;
}

void conn_begin_tls(struct conn *c)
{
    if (tls_new(c->acceptor->tls, c->io.fd, &c->tls) < 0) {
        (void)log_errno(LOG_ERR, ENOMEM, "a connection is refused");
        conn_close(c);
        return;
    }
    conn_set_state(c, CONN_HANDSHAKE);
    conn_shake_hands(c);
}

void conn_shake_hands(struct conn *c)
{
    struct errmsg err = {""};

    if (c->proxy_due && !pass_proxy_header(c))
        return;
    int r = tls_handshake(c->tls, &err);
    if (r == -EAGAIN) {
        (void)conn_listen(c);
    } else if (r == TLS_PLAIN_HTTP) {
        c->tls = tls_free(c->tls);
        conn_refuse(c, 400, 0, "plain HTTP on an https-socket"); /* which the client understands */
    } else if (r == -EPROTO) {
        log_debug("%s: no TLS: %s", conn_peer(c), err.text);
        c->tls = tls_free(c->tls);
        conn_finish(c); /* the alert that says why is on its way */
    } else if (r < 0) {
        conn_close(c);
    } else {
        conn_set_state(c, CONN_IDLE);
        if (c->worker->draining)
            conn_shorten_idle(c, CONN_NEW_IDLE_US);
        conn_read(c);
    }
}
