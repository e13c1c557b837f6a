/* SPDX-License-Identifier: MIT */
/* Who connects gets one message, which a new connection always has room for, and is left. The mode
 * of the socket's file keeps other users away, and their credentials are looked at all the same:
 * the file's folder may be anybody's, and an abstract name has no mode. */
#include "instance/zerg-server.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ipc/zerg.h"

#define BACKLOG  64
#define PAUSE_US US_PER_SEC /* when there are no descriptors left */

static void on_pause_over(struct loop_timer *t)
{
    struct zerg_server *z = container_of(t, struct zerg_server, pause);
    int r = loop_io_modify(z->loop, &z->io, EPOLLIN);

    if (r < 0)
        (void)log_errno(LOG_ERR, r, "%s: cannot go on listening", z->option);
}

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

static void serve(struct zerg_server *z, int fd)
{
    const struct listeners *l = z->listeners(z->data);
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t len = sizeof(peer);
    int r = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ? -errno : 0;
    const bool allowed = r == 0 && is_allowed(&peer);

    if (allowed)
        r = send_listeners(l, fd);
    if (!log_limit_allows(&z->lines, loop_now_us(z->loop)))
        return;
    if (r < 0)
        (void)log_errno(LOG_WARNING, r, "%s: process %d did not get the sockets", z->option,
                        (int)peer.pid);
    else if (!allowed)
        log_warning("%s: process %d of user %d is refused: only our own user and root get the "
                    "sockets",
                    z->option, (int)peer.pid, (int)peer.uid);
    else
        log_info("%s: process %d has got %zu socket%s", z->option, (int)peer.pid, l->n_items,
                 l->n_items == 1 ? "" : "s");
}

static void on_connection(struct loop_io *io, uint32_t events)
{
    struct zerg_server *z = container_of(io, struct zerg_server, io);
    _cleanup_close_ int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)events;
    if (fd >= 0) {
        serve(z, fd);
        return;
    }
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return;
    (void)log_errno(LOG_WARNING, errno, "%s: cannot serve anybody for a second", z->option);
    (void)!loop_io_modify(z->loop, io, 0); /* known to epoll: it cannot fail */
    loop_timer_set(z->loop, &z->pause, loop_now_us(z->loop) + PAUSE_US);
}

int zerg_server_open(struct zerg_server *z, struct loop *loop, const char *option,
                     const char *address, const struct listeners *(*listeners)(void *data),
                     void *data, struct errmsg *err)
{
    const struct sock_options options = {
        .backlog = BACKLOG, .mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1};

    *z = (struct zerg_server){.loop = loop,
                              .io = {.fd = -1, .fn = on_connection},
                              .pause.fn = on_pause_over,
                              .option = option,
                              .listeners = listeners,
                              .data = data};
    int r = addr_parse(address, &z->addr, err);
    if (r == 0 && (z->addr.fd >= 0 || z->addr.sa.any.sa_family != AF_UNIX))
        r = errmsg_set(err, -EINVAL,
                       "%s is no UNIX socket: only through a path or @NAME can sockets be passed",
                       address);
    if (r == 0)
        r = sock_listen(&z->addr, &options, &z->file, err);
    if (r < 0)
        return errmsg_prefix(err, r, "%s", option);
    z->io.fd = r;
    r = loop_io_add(loop, &z->io, EPOLLIN);
    if (r == 0)
        return 0;
    zerg_server_close(z);
    return errmsg_set_errno(err, r, "%s: cannot listen on %s", option, address);
}

void zerg_server_close(struct zerg_server *z)
{
    const char *path = NULL;

    if (z->io.fd < 0)
        return;
    loop_timer_clear(z->loop, &z->pause);
    loop_io_remove(z->loop, &z->io);
    closep(&z->io.fd);
    z->io.fd = -1;
    if (addr_path(&z->addr, &path))
        sock_unlink(path, &z->file);
}
