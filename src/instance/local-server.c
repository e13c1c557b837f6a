/* SPDX-License-Identifier: MIT */
/* Accepting connections of other processes of this machine, for zerg-server and fork-server. The
 * mode of the socket's file keeps other users away, and credentials are looked at all the same: the
 * file's folder may be anybody's, and an abstract name has no mode. */
#include "instance/local-server.h"

#include <errno.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define BACKLOG  1024
#define PAUSE_US US_PER_SEC /* when there are no descriptors left */

static void on_pause_over(struct loop_timer *t)
{
    struct local_server *s = container_of(t, struct local_server, pause);
    int r = loop_io_modify(s->loop, &s->io, EPOLLIN);

    if (r < 0)
        (void)log_errno(LOG_ERR, r, "%s: cannot go on listening", s->option);
}

static void on_connection(struct loop_io *io, uint32_t events)
{
    struct local_server *s = container_of(io, struct local_server, io);
    _cleanup_close_ int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t len = sizeof(peer);

    (void)events;
    if (fd >= 0) {
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
            s->serve(s, fd, &peer);
        return;
    }
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
        return;
    (void)log_errno(LOG_WARNING, errno, "%s: cannot serve anybody for a second", s->option);
    (void)!loop_io_modify(s->loop, io, 0); /* known to epoll: it cannot fail */
    loop_timer_set(s->loop, &s->pause, loop_now_us(s->loop) + PAUSE_US);
}

int local_server_open(struct local_server *s, const char *option, const char *address,
                      void (*serve)(struct local_server *s, int fd, const struct ucred *peer),
                      struct errmsg *err)
{
    const struct sock_options options = {
        .backlog = BACKLOG, .mode = 0600, .uid = (uid_t)-1, .gid = (gid_t)-1};

    *s = (struct local_server){
        .io = {.fd = -1, .fn = on_connection},
        .pause.fn = on_pause_over,
        .option = option,
        .serve = serve,
    };
    int r = addr_parse(address, &s->addr, err);
    if (r == 0 && (s->addr.fd >= 0 || s->addr.sa.any.sa_family != AF_UNIX))
        r = errmsg_set(
            err, -EINVAL,
            "%s is no UNIX socket: only through a path or @NAME can descriptors be passed",
            address);
    if (r == 0)
        r = sock_listen(&s->addr, &options, &s->file, err);
    if (r < 0)
        return errmsg_prefix(err, r, "%s", option);
    s->io.fd = r;
    return 0;
}

int local_server_start(struct local_server *s, struct loop *loop, struct errmsg *err)
{
    /* The kernel notes who listens, for SO_PEERCRED of whoever connects, each time. */
    int r = listen(s->io.fd, BACKLOG) < 0 ? -errno : loop_io_add(loop, &s->io, EPOLLIN);

    if (r < 0)
        return errmsg_set_errno(err, r, "%s: cannot listen", s->option);
    s->loop = loop;
    return 0;
}

bool local_server_may_log(struct local_server *s)
{
    return log_limit_allows(&s->lines, loop_now_us(s->loop));
}

void local_server_close(struct local_server *s)
{
    const char *path = NULL;

    if (s->io.fd < 0)
        return;
    if (s->loop) {
        loop_timer_clear(s->loop, &s->pause);
        loop_io_remove(s->loop, &s->io);
    }
    closep(&s->io.fd);
    s->io.fd = -1;
    if (addr_path(&s->addr, &path))
        sock_unlink(path, &s->file);
}
