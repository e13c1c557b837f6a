/* SPDX-License-Identifier: MIT */
/* Children: a pidfd is readable once its process has ended (pidfd_open(2)). No work is done in a
 * SIGCHLD handler, and nobody is waited for by number. */
#include "loop/child.h"

#include <assert.h>
#include <errno.h>
#include <sys/wait.h>

static void on_child(struct loop_io *io, uint32_t events)
{
    struct loop_child *c = container_of(io, struct loop_child, io);
    siginfo_t end = {0};

    (void)events;
    loop_io_remove(c->loop, io);
    /* A child that is not (or no longer) ours to wait for has ended all the same. */
    if (proc_reap(&c->proc, &end) <= 0)
        proc_done(&c->proc);
    io->fd = -1;
    c->fn(c, &end);
}

void loop_child_init(struct loop_child *c, loop_child_fn *fn)
{
    *c = (struct loop_child){.proc = PROC_NONE, .io = {.fd = -1, .fn = on_child}, .fn = fn};
}

int loop_child_watch(struct loop *l, struct loop_child *c)
{
    assert(c->proc.pidfd >= 0);

    c->loop = l;
    c->io.fd = c->proc.pidfd;
    return loop_io_add(l, &c->io, EPOLLIN);
}

void loop_child_done(struct loop_child *c)
{
    if (c->io.fd >= 0)
        loop_io_remove(c->loop, &c->io);
    c->io.fd = -1;
    proc_done(&c->proc);
}

bool loop_reap_strangers(bool (*is_ours)(pid_t pid, void *data), void *data)
{
    for (;;) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            return false;
        if (is_ours(info.si_pid, data))
            return true;
        (void)waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
    }
}
