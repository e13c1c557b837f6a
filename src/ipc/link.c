/* SPDX-License-Identifier: MIT */
/* Talking to the Emperor: for an instance, and for an Emperor that is a vassal itself. Nothing here
 * waits: an Emperor that does not read loses what we say, and
 * an end of file on the pipe means that it is gone and we are to go too. */
#include "ipc/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "ipc/fdmap.h"
#include "ipc/message.h"

/* The descriptor that the variable @name says, made non-blocking and close-on-exec; -1: none. */
static int find_socket(const char *const *environ, const char *name, int type, struct errmsg *err)
{
    const char *text = vassal_env_find(environ, name);

    if (!text)
        return -1;
    int fd = fd_parse_socket(text, type);
    return fd < 0
               ? errmsg_set(err, fd, "environment: %s=%s is not a socket of an Emperor", name, text)
               : fd;
}

int link_open(struct link *l, const char *const *environ, struct errmsg *err)
{
    *l = LINK_NONE;

    int fd = find_socket(environ, VASSAL_ENV_EMPEROR_FD, SOCK_STREAM, err);
    if (fd < -1)
        return fd;
    int status_fd = find_socket(environ, VASSAL_ENV_STATUS_FD, SOCK_SEQPACKET, err);
    if (status_fd < -1)
        return status_fd;
    l->pipe.fd = fd;
    l->status.io.fd = status_fd;
    return 0;
}

static void lost(struct link *l)
{
    link_close(l);
    l->owner->on_lost(l->data);
}

static void on_readable(struct loop_io *io, uint32_t events)
{
    struct link *l = container_of(io, struct link, pipe);
    unsigned char bytes[64];

    (void)events;
    ssize_t n = read(io->fd, bytes, sizeof(bytes));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        lost(l);
        return;
    }
    for (ssize_t i = 0; i < n; i++)
        l->owner->on_byte(bytes[i], l->data);
}

static int on_give_way(struct channel *c, struct message *m)
{
    const struct link *l = container_of(c, struct link, status);

    if (l->owner->on_give_way)
        l->owner->on_give_way(m->fds[0], l->data);
    else
        message_close_fds(m); /* who has the other end learns it */
    return 0;
}

/* clang-format off */
static const struct channel_rule status_rules[] = {
    [STATUS_GIVE_WAY] = { .handler = on_give_way, .n_fds = 1 },
};
/* clang-format on */

/* An Emperor need not have this channel: the pipe says when it is gone. */
static void on_status_closed(struct channel *c, int error)
{
    (void)c;
    (void)error;
}

static int listen_to_status(struct link *l)
{
    int fd = l->status.io.fd;

    return fd < 0 ? 0
                  : channel_open(&l->status, l->loop, fd, status_rules, COUNT_OF(status_rules),
                                 on_status_closed);
}

int link_listen(struct link *l, struct loop *loop, const struct link_owner *owner, void *data)
{
    if (!link_exists(l))
        return 0;
    l->loop = loop;
    l->owner = owner;
    l->data = data;
    l->pipe.fn = on_readable;
    int r = loop_io_add(loop, &l->pipe, EPOLLIN | EPOLLRDHUP);
    return r < 0 ? r : listen_to_status(l);
}

void link_close(struct link *l)
{
    if (l->loop)
        loop_io_remove(l->loop, &l->pipe);
    if (l->status.loop)
        channel_close(&l->status);
    closep(&l->pipe.fd);
    closep(&l->status.io.fd);
    l->pipe.fd = -1;
    l->status.io.fd = -1;
}

void link_keep(const struct link *l, bool on)
{
    if (l->pipe.fd >= 0)
        (void)fd_set_cloexec(l->pipe.fd, !on); /* it is open: this cannot fail */
    if (l->status.io.fd >= 0)
        (void)fd_set_cloexec(l->status.io.fd, !on);
}

void link_send(struct link *l, enum vassal_byte byte)
{
    unsigned char b = (unsigned char)byte;

    if (link_exists(l) && send(l->pipe.fd, &b, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
        errno != EPIPE)
        (void)log_errno(LOG_WARNING, errno, "the Emperor does not hear us");
}

void link_status(const struct link *l, enum status_type type, uint32_t value, const char *text)
{
    if (l->status.io.fd >= 0)
        (void)message_send_text(l->status.io.fd, (uint16_t)type, value, text); /* only words */
}
