/* SPDX-License-Identifier: MIT */
/* Reads inotify events in bulk and hands them on one by one. Losing events is normal (the queue is
 * bounded): the owner hears of it as IN_Q_OVERFLOW and looks for itself. */
#include "loop/watch.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"

struct watch {
    struct loop *loop;
    struct loop_io io;
    watch_fn *fn;
    void *data;
};

static void on_readable(struct loop_io *io, uint32_t events)
{
    struct watch *w = container_of(io, struct watch, io);
    char buf[8192] __attribute__((aligned(__alignof__(struct inotify_event))));

    (void)events;
    ssize_t n = read(io->fd, buf, sizeof(buf));
    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *e = (const struct inotify_event *)(const void *)(buf + at);
        at += (ssize_t)(sizeof(*e) + e->len);
        w->fn(w->data, e->wd, e->mask, e->len > 0 ? e->name : "");
    }
}

int watch_new(struct loop *l, watch_fn *fn, void *data, struct watch **ret)
{
    _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

    if (fd < 0)
        return -errno;
    struct watch *w = calloc(1, sizeof(*w));
    if (!w)
        return -ENOMEM;
    *w = (struct watch){.loop = l, .io = {.fd = fd, .fn = on_readable}, .fn = fn, .data = data};
    int r = loop_io_add(l, &w->io, EPOLLIN);
    if (r < 0) {
        free(w);
        return r;
    }
    (void)TAKE_FD(fd);
    *ret = w;
    return 0;
}

struct watch *watch_free(struct watch *w)
{
    if (!w)
        return NULL;
    loop_io_remove(w->loop, &w->io);
    closep(&w->io.fd);
    free(w);
    return NULL;
}

int watch_add(struct watch *w, const char *path, uint32_t mask)
{
    int wd = inotify_add_watch(w->io.fd, path, mask);

    return wd < 0 ? -errno : wd;
}

void watch_remove(struct watch *w, int wd)
{
    (void)inotify_rm_watch(w->io.fd, wd); /* fails when the kernel removed it first */
}
