/* SPDX-License-Identifier: MIT */
/* Dispatch of messages by table. A handler may close the channel (or free what holds it), so after
 * a handler nothing of the channel is touched unless it said to go on. */
#include "ipc/channel.h"

#include <errno.h>

#include "base/cleanup.h"

/* More than a socket's buffer holds: what a process left behind is read, and somebody who inherited
 * its end and goes on talking cannot keep us. */
#define DRAIN_MAX 1024

static void fail(struct channel *c, int error)
{
    channel_close(c);
    c->on_closed(c, error);
}

static int dispatch(struct channel *c, struct message *m)
{
    const struct channel_rule *rule = m->type < c->n_rules ? &c->rules[m->type] : NULL;

    if (!rule || !rule->handler || rule->n_fds != m->n_fds) {
        message_close_fds(m);
        return -EPROTO;
    }
    return rule->handler(c, m);
}

static void on_readable(struct loop_io *io, uint32_t events)
{
    struct channel *c = container_of(io, struct channel, io);
    struct message_buffer buf;
    struct message m;

    (void)events;
    int r = message_receive(io->fd, &buf, &m);
    if (r == -EAGAIN)
        return;
    if (r <= 0) {
        fail(c, r);
        return;
    }
    r = dispatch(c, &m);
    if (r < 0)
        fail(c, r);
}

void channel_drain(struct channel *c)
{
    struct message_buffer buf;
    struct message m;

    for (int i = 0; i < DRAIN_MAX && c->io.fd >= 0; i++) {
        if (message_receive(c->io.fd, &buf, &m) <= 0)
            return;
        if (dispatch(c, &m) < 0)
            channel_close(c);
    }
}

int channel_open(struct channel *c, struct loop *l, int fd, const struct channel_rule *rules,
                 size_t n_rules, void (*on_closed)(struct channel *c, int error))
{
    *c = (struct channel){
        .io = {.fd = fd, .fn = on_readable},
        .loop = l,
        .rules = rules,
        .n_rules = n_rules,
        .on_closed = on_closed,
    };
    int r = loop_io_add(l, &c->io, EPOLLIN);
    if (r < 0) {
        closep(&c->io.fd);
        c->io.fd = -1;
    }
    return r;
}

int channel_take(struct channel *c)
{
    int fd = c->io.fd;

    if (fd >= 0)
        loop_io_remove(c->loop, &c->io);
    c->io.fd = -1;
    return fd;
}

void channel_close(struct channel *c)
{
    if (c->io.fd < 0)
        return;
    loop_io_remove(c->loop, &c->io);
    closep(&c->io.fd);
    c->io.fd = -1;
}
