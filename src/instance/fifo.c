/* SPDX-License-Identifier: MIT */
/* The FIFO is opened for reading and writing: so it never is at its end, whoever opens and closes
 * it. */
#include "instance/fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static void on_readable(struct loop_io *io, uint32_t events)
{
    struct fifo *f = container_of(io, struct fifo, io);
    char letters[64];

    (void)events;
    ssize_t n = read(io->fd, letters, sizeof(letters));
    for (ssize_t i = 0; i < n; i++)
        if (letters[i] != '\n')
            f->fn(f->data, letters[i]);
}

int fifo_open(struct fifo *f, struct loop *loop, const char *path,
              void (*fn)(void *data, char letter), void *data, struct errmsg *err)
{
    struct stat st = {0};

    *f = (struct fifo){.io.fd = -1};
    if (mkfifo(path, 0600) < 0 && errno != EEXIST)
        return errmsg_set_errno(err, -errno, "master-fifo: cannot make %s", path);
    _cleanup_close_ int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0)
        return errmsg_set_errno(err, -errno, "master-fifo: cannot open %s", path);
    if (!S_ISFIFO(st.st_mode))
        return errmsg_set(err, -EEXIST, "master-fifo: %s is there and is no FIFO: remove it", path);
    char *copy = strdup(path);
    if (!copy)
        return errmsg_set(err, -ENOMEM, "out of memory");
    *f = (struct fifo){.loop = loop,
                       .io = {.fd = TAKE_FD(fd), .fn = on_readable},
                       .path = copy,
                       .fn = fn,
                       .data = data};
    int r = loop_io_add(loop, &f->io, EPOLLIN);
    return r < 0 ? errmsg_set_errno(err, r, "master-fifo: %s", path) : 0;
}

void fifo_close(struct fifo *f, bool leave)
{
    if (f->io.fd < 0)
        return;
    loop_io_remove(f->loop, &f->io);
    closep(&f->io.fd);
    if (!leave)
        (void)unlink(f->path); /* its folder may be somebody else's now */
    free(f->path);
    *f = (struct fifo){.io.fd = -1};
}
