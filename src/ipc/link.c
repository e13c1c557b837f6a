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
    *l = (struct link){.pipe.fd = -1, .status_fd = -1};

    int fd = find_socket(environ, VASSAL_ENV_EMPEROR_FD, SOCK_STREAM, err);
    if (fd < -1)
        return fd;
    int status_fd = find_socket(environ, VASSAL_ENV_STATUS_FD, SOCK_SEQPACKET, err);
    if (status_fd < -1)
        return status_fd;
    l->pipe.fd = fd;
    l->status_fd = status_fd;
    return 0;
}

static void lost(struct link *l)
{
    link_close(l);
    l->on_lost(l->data);
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
        l->on_byte(bytes[i], l->data);
}

int link_listen(struct link *l, struct loop *loop, void (*on_byte)(enum emperor_byte, void *),
                void (*on_lost)(void *), void *data)
{
    if (!link_exists(l))
        return 0;
    l->loop = loop;
    l->on_byte = on_byte;
    l->on_lost = on_lost;
    l->data = data;
    l->pipe.fn = on_readable;
    return loop_io_add(loop, &l->pipe, EPOLLIN | EPOLLRDHUP);
}

void link_close(struct link *l)
{
    if (l->loop)
        loop_io_remove(l->loop, &l->pipe);
    closep(&l->pipe.fd);
    closep(&l->status_fd);
    l->pipe.fd = -1;
    l->status_fd = -1;
}

void link_keep(const struct link *l, bool on)
{
    if (l->pipe.fd >= 0)
        (void)fd_set_cloexec(l->pipe.fd, !on); /* it is open: this cannot fail */
    if (l->status_fd >= 0)
        (void)fd_set_cloexec(l->status_fd, !on);
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
    if (l->status_fd >= 0)
        (void)message_send_text(l->status_fd, (uint16_t)type, value, text); /* only words */
}
