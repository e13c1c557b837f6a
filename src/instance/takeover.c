/* SPDX-License-Identifier: MIT */
/* The handing over of sockets from master to master. The sender may be of another release: what it
 * sends is checked like anything that comes from outside, and what does not fit ends the new
 * master, not the old one. */
#include "instance/takeover.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/listen-fds.h"
#include "ipc/message.h"

#define WAIT_MS 5000 /* for each message */

int takeover_find(int *ret, struct errmsg *err)
{
    const char *text = getenv(TAKEOVER_ENV_FD);

    *ret = -1;
    if (!text)
        return 0;
    int fd = fd_parse_socket(text, SOCK_SEQPACKET);
    if (fd < 0)
        return errmsg_set(err, fd, "environment: %s=%s is not a socket of a master",
                          TAKEOVER_ENV_FD, text);
    (void)unsetenv(TAKEOVER_ENV_FD); /* it is a name */
    *ret = fd;
    return 0;
}

/* The older master made the pair, and may have ended by now. */
int takeover_inherit_names(int fd)
{
    struct ucred older;
    socklen_t len = sizeof(older);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &older, &len) < 0)
        return -errno;
    return listen_fds_inherit(older.pid);
}

/* Fixed sizes: another release reads it. The address follows, terminated. */
struct takeover_socket {
    uint64_t dev, ino; /* of the file of a UNIX socket */
    uint32_t id;       /* of the listener: entries of the queue name it */
    uint32_t flags;    /* enum takeover_flag */
};

enum takeover_flag {
    TAKEOVER_VACUUM = 1 << 0,
    TAKEOVER_GIVEN = 1 << 1,
    TAKEOVER_STANDARD_INPUT = 1 << 2, /* it was descriptor 0 */
};

static uint32_t flags_of(const struct listener *l)
{
    return (l->vacuum ? TAKEOVER_VACUUM : 0U) | (l->given ? TAKEOVER_GIVEN : 0U) |
           (l->number == STDIN_FILENO ? TAKEOVER_STANDARD_INPUT : 0U);
}

static int send_listener(int fd, const struct listener *l)
{
    char data[MESSAGE_MAX_BYTES];
    const struct takeover_socket s = {
        .dev = l->file.dev, .ino = l->file.ino, .id = l->id, .flags = flags_of(l)};
    size_t text_len = strlen(l->text) + 1;

    if (sizeof(s) + text_len > sizeof(data))
        return -E2BIG;
    memcpy(data, &s, sizeof(s));
    memcpy(data + sizeof(s), l->text, text_len);
    const struct message m = {.type = TAKEOVER_LISTENER,
                              .data = data,
                              .len = sizeof(s) + text_len,
                              .fds = {l->fd},
                              .n_fds = 1};
    return message_send(fd, &m);
}

int takeover_send(int fd, const struct listeners *l, const struct queue *q)
{
    const struct message queue = {.type = TAKEOVER_QUEUE,
                                  .value = TAKEOVER_QUEUE_VERSION,
                                  .fds = {q->give_fd, q->take_fd, q->board_fd},
                                  .n_fds = 3};
    const struct message end = {.type = TAKEOVER_END, .value = (uint32_t)getpid()};
    int r = 0;

    for (size_t i = 0; i < l->n_items && r == 0; i++)
        r = send_listener(fd, l->items[i]);
    if (r == 0)
        r = message_send(fd, &queue);
    return r < 0 ? r : message_send(fd, &end);
}

static int refuse(struct message *m)
{
    message_close_fds(m);
    return -EPROTO;
}

static int receive_listener(struct message *m, struct listeners *ret, struct errmsg *err)
{
    struct takeover_socket s;

    if (m->n_fds != 1 || m->len <= sizeof(s) || ret->n_items == LISTEN_MAX_SOCKETS)
        return refuse(m);
    memcpy(&s, m->data, sizeof(s));
    const struct sock_file file = {.dev = s.dev, .ino = s.ino};
    const char *text = (const char *)m->data + sizeof(s);
    int r = listeners_adopt(ret, text, m->fds[0], s.id, &file, s.flags & TAKEOVER_VACUUM, err);
    if (r < 0)
        return r;
    struct listener *l = ret->items[ret->n_items - 1];
    l->given = s.flags & TAKEOVER_GIVEN;
    l->number = s.flags & TAKEOVER_STANDARD_INPUT ? STDIN_FILENO : -1;
    return 0;
}

static int receive_queue(struct message *m, struct queue *ret)
{
    if (m->n_fds != 3 || ret->board)
        return refuse(m);
    if (m->value == TAKEOVER_QUEUE_VERSION)
        return queue_adopt(ret, m->fds[0], m->fds[1], m->fds[2]);
    message_close_fds(m);
    return 0;
}

static int receive_one(struct message *m, struct listeners *ret_listeners, struct queue *ret_queue,
                       struct errmsg *err)
{
    switch (m->type) {
    case TAKEOVER_LISTENER:
        return receive_listener(m, ret_listeners, err);
    case TAKEOVER_QUEUE:
        return receive_queue(m, ret_queue);
    default:
        return refuse(m);
    }
}

/* What comes is there before we begin, or is about to be sent by a master that an Emperor has just
 * asked to. */
static int receive(int fd, struct message_buffer *buf, struct message *m)
{
    int r = message_receive(fd, buf, m);

    while (r == -EAGAIN) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int n = poll(&p, 1, WAIT_MS);
        if (n == 0)
            return -ETIME;
        r = n < 0 && errno != EINTR ? -errno : message_receive(fd, buf, m);
    }
    return r;
}

int takeover_receive(int fd, struct listeners *ret_listeners, struct queue *ret_queue,
                     pid_t *ret_pid, struct errmsg *err)
{
    struct message_buffer buf;
    struct message m;

    for (;;) {
        int r = receive(fd, &buf, &m);
        if (r == 1 && m.type == TAKEOVER_END) {
            *ret_pid = (pid_t)m.value;
            return 0;
        }
        if (r == 1)
            r = receive_one(&m, ret_listeners, ret_queue, err);
        else if (r == 0)
            r = -ECONNRESET; /* it has ended meanwhile */
        if (r < 0)
            return errmsg_set_errno(err, r, "cannot take over from the old master");
    }
}
