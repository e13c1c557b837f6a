/* SPDX-License-Identifier: MIT */
/* Sockets of on-demand vassals. Modes and backlog are uWSGI's: everybody may connect to the file,
 * a hundred may wait. Owned by vassal-demand.c. */
#include "emperor/demand.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static const struct sock_options options = {
    .backlog = 100, .mode = 0666, .uid = (uid_t)-1, .gid = (gid_t)-1, .at_once = true};

static void on_readable(struct loop_io *io, uint32_t events)
{
    struct demand *d = container_of(io, struct demand, io);

    d->broken = events & (EPOLLHUP | EPOLLERR);
    d->on_call(d);
}

static struct demand *make(struct loop *l, const char *address, void (*on_call)(struct demand *d),
                           void *data)
{
    struct demand *d = calloc(1, sizeof(*d));

    if (!d)
        return NULL;
    *d = (struct demand){
        .loop = l,
        .address = strdup(address),
        .io = {.fd = -1, .fn = on_readable},
        .on_call = on_call,
        .data = data,
    };
    return d->address ? d : demand_free(d);
}

int demand_adopt(struct loop *l, const char *address, const struct sock_file *file, int fd,
                 void (*on_call)(struct demand *d), void *data, struct demand **ret,
                 struct errmsg *err)
{
    struct demand *d = make(l, address, on_call, data);

    if (!d) {
        (void)close(fd);
        return errmsg_set_errno(err, -ENOMEM, "%s", address);
    }
    d->file = *file;
    d->io.fd = fd;
    int r = addr_parse(address, &d->addr, err);
    if (r < 0)
        (void)demand_free(d);
    else
        *ret = d;
    return r;
}

int demand_new(struct loop *l, const char *address, void (*on_call)(struct demand *d), void *data,
               struct demand **ret, struct errmsg *err)
{
    struct addr addr;
    struct sock_file file = {0};
    int r = addr_parse(address, &addr, err);

    if (r == 0)
        r = sock_listen(&addr, &options, &file, err);
    return r < 0 ? r : demand_adopt(l, address, &file, r, on_call, data, ret, err);
}

/* A socket that a vassal has shut down is always ready, whatever is asked of the kernel: while it
 * is not listened to, it is not in the loop at all. */
void demand_listen(struct demand *d, bool on)
{
    int r = 0;

    if (d->listening == on)
        return;
    if (on)
        r = loop_io_add(d->loop, &d->io, EPOLLIN);
    else
        loop_io_remove(d->loop, &d->io);
    if (r < 0)
        (void)log_errno(LOG_ERR, r, "%s: cannot wait for connections", d->address);
    else
        d->listening = on;
}

static void close_socket(struct demand *d)
{
    const char *path = NULL;

    if (d->io.fd < 0)
        return;
    demand_listen(d, false);
    (void)close(d->io.fd);
    d->io.fd = -1;
    if (addr_path(&d->addr, &path))
        sock_unlink(path, &d->file);
}

int demand_renew(struct demand *d, struct errmsg *err)
{
    close_socket(d);
    int r = sock_listen(&d->addr, &options, &d->file, err);
    if (r < 0)
        return r;
    d->io.fd = r;
    d->broken = false;
    return 0;
}

struct demand *demand_free(struct demand *d)
{
    if (!d)
        return NULL;
    close_socket(d);
    free(d->address);
    free(d);
    return NULL;
}
