/* SPDX-License-Identifier: MIT */
/* Whoever has the loop is not kept from it by a disk or a command: that is the child's to wait for.
 */
#include "loop/errand.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

static void kill_group(const struct errand *e)
{
    /* It is its own group from before we know of it: see errand_start(). */
    if (errand_is_on(e))
        (void)kill(-e->child.proc.pid, SIGKILL);
    (void)proc_signal(&e->child.proc, SIGKILL);
}

static void on_timer(struct loop_timer *t)
{
    kill_group(container_of(t, struct errand, timer)); /* its end is seen as any other */
}

static void on_child_end(struct loop_child *child, const siginfo_t *end)
{
    struct errand *e = container_of(child, struct errand, child);

    loop_timer_clear(e->loop, &e->timer);
    e->on_end(e->data, end);
}

void errand_init(struct errand *e, void (*on_end)(void *data, const siginfo_t *end), void *data)
{
    *e = (struct errand){.timer.fn = on_timer, .on_end = on_end, .data = data};
    loop_child_init(&e->child, on_child_end);
}

_noreturn_ static void run(pid_t parent, int (*work)(const void *data), const void *data)
{
    proc_reset_signals();
    log_set_fd(STDERR_FILENO, NULL);
    if (fd_close_from(STDERR_FILENO + 1) < 0 || setpgid(0, 0) < 0 ||
        proc_die_with_parent(parent) < 0)
        _exit(EXIT_FAILURE);
    _exit(work(data));
}

int errand_start(struct errand *e, struct loop *loop, int (*work)(const void *data),
                 const void *data, uint64_t limit_us)
{
    const pid_t us = getpid();

    assert(!errand_is_on(e));
    int r = proc_fork(&e->child.proc);
    if (r == 0)
        run(us, work, data);
    if (r < 0)
        return r;
    (void)setpgid(e->child.proc.pid, e->child.proc.pid); /* whoever of the two is first */
    e->loop = loop;
    r = loop_child_watch(loop, &e->child);
    if (r < 0) {
        errand_stop(e);
        return r;
    }
    loop_timer_set(loop, &e->timer, loop_now_us(loop) + limit_us);
    return 0;
}

void errand_stop(struct errand *e)
{
    if (!e->loop)
        return;
    kill_group(e);
    loop_timer_clear(e->loop, &e->timer);
    loop_child_done(&e->child);
}
