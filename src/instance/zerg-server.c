/* SPDX-License-Identifier: MIT */
/* Who connects gets one message, which a new connection always has room for, and is left. */
#include "instance/zerg-server.h"

#include <unistd.h>

#include "ipc/zerg.h"

static int send_listeners(const struct listeners *l, int fd)
{
    int fds[LISTEN_MAX_SOCKETS];

    for (size_t i = 0; i < l->n_items; i++)
        fds[i] = l->items[i]->fd;
    return zerg_send(fd, fds, l->n_items);
}

static bool is_allowed(const struct ucred *peer)
{
    return peer->uid == 0 || peer->uid == geteuid();
}

static void serve(struct local_server *s, int fd, const struct ucred *peer)
{
    const struct zerg_server *z = container_of(s, struct zerg_server, server);
    const struct listeners *l = z->listeners(z->data);
    const bool allowed = is_allowed(peer);
    int r = allowed ? send_listeners(l, fd) : 0;

    if (!local_server_may_log(s))
        return;
    if (r < 0)
        (void)log_errno(LOG_WARNING, r, "%s: process %d did not get the sockets", s->option,
                        (int)peer->pid);
    else if (!allowed)
        log_warning("%s: process %d of user %d is refused: only our own user and root get the "
                    "sockets",
                    s->option, (int)peer->pid, (int)peer->uid);
    else
        log_info("%s: process %d has got %zu socket%s", s->option, (int)peer->pid, l->n_items,
                 l->n_items == 1 ? "" : "s");
}

void zerg_server_init(struct zerg_server *z)
{
    *z = (struct zerg_server){.server.io.fd = -1};
}

int zerg_server_open(struct zerg_server *z, struct loop *loop, const char *option,
                     const char *address, const struct listeners *(*listeners)(void *data),
                     void *data, struct errmsg *err)
{
    z->listeners = listeners;
    z->data = data;
    int r = local_server_open(&z->server, option, address, serve, err);
    if (r == 0)
        r = local_server_start(&z->server, loop, err);
    if (r < 0)
        zerg_server_close(z);
    return r;
}

void zerg_server_close(struct zerg_server *z)
{
    local_server_close(&z->server);
}
