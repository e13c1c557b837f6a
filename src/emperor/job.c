/* SPDX-License-Identifier: MIT */
/* One process, one pipe, one deadline. The end is that of the process: what its children write
 * after it is nobody's answer. Used by vassal-demand.c and hooks.c. */
#include "emperor/job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/proc.h"
#include "loop/child.h"

#define OUTPUT_MAX_BYTES 4096

struct job {
    struct loop_child child;
    struct loop_io out; /* fd -1: closed */
    struct loop_timer timer;
    struct loop *loop;
    struct hash *by_pid;
    char pid_key[12];
    job_fn *fn;
    void *data;
    bool late;
    size_t len;
    char output[OUTPUT_MAX_BYTES + 1];
};

static void close_output(struct job *e)
{
    if (e->out.fd < 0)
        return;
    loop_io_remove(e->loop, &e->out);
    (void)close(e->out.fd);
    e->out.fd = -1;
}

/* What is there now; what is over the bound is read and dropped. */
static void take_output(struct job *e)
{
    char rest[512];

    for (int i = 0; i < 64 && e->out.fd >= 0; i++) {
        bool room = e->len < OUTPUT_MAX_BYTES;
        ssize_t n = room ? read(e->out.fd, e->output + e->len, OUTPUT_MAX_BYTES - e->len)
                         : read(e->out.fd, rest, sizeof(rest));
        if (n < 0)
            return;
        if (n == 0)
            close_output(e);
        else if (room)
            e->len += (size_t)n;
    }
}

static void on_output(struct loop_io *io, uint32_t events)
{
    (void)events;
    take_output(container_of(io, struct job, out));
}

static void kill_group(const struct job *e)
{
    if (e->child.proc.pid > 0)
        (void)kill(-e->child.proc.pid, SIGKILL); /* ESRCH: it has not made its group yet */
    (void)proc_signal(&e->child.proc, SIGKILL);
}

static void on_late(struct loop_timer *t)
{
    struct job *e = container_of(t, struct job, timer);

    e->late = true;
    kill_group(e);
}

static void release(struct job *e)
{
    (void)hash_remove(e->by_pid, e->pid_key);
    loop_timer_clear(e->loop, &e->timer);
    close_output(e);
    loop_child_done(&e->child);
    free(e);
}

static void on_end(struct loop_child *child, const siginfo_t *info)
{
    struct job *e = container_of(child, struct job, child);

    take_output(e);
    const struct job_end end = {
        .info = *info,
        .ok = !e->late && info->si_code == CLD_EXITED && info->si_status == 0,
        .output = e->output,
        .len = e->len,
    };
    (void)hash_remove(e->by_pid, e->pid_key);
    if (e->fn)
        e->fn(e->data, &end);
    release(e);
}

static int spawn(struct job *e, const struct job_start *s)
{
    int out[2] = {-EBADF, -EBADF};
    _cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null_fd < 0 || pipe2(out, O_CLOEXEC) < 0)
        return -errno;
    e->out.fd = out[0];
    _cleanup_close_ int write_end = out[1];
    if (fcntl(out[0], F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    const int fds[] = {null_fd, write_end, STDERR_FILENO};
    const struct proc_exec exec = {
        .path = s->argv[0],
        .argv = (char *const *)s->argv,
        .envp = (char *const *)s->environ,
        .cwd = s->cwd,
        .fds = fds,
        .n_fds = sizeof(fds) / sizeof(*fds),
    };
    return proc_spawn(&exec, &e->child.proc);
}

int job_new(const struct job_start *s, struct job **ret)
{
    struct job *e = calloc(1, sizeof(*e));

    if (!e)
        return -ENOMEM;
    *e = (struct job){
        .loop = s->loop,
        .by_pid = s->by_pid,
        .out = {.fd = -1, .fn = on_output},
        .timer = {.fn = on_late},
        .fn = s->fn,
        .data = s->data,
    };
    loop_child_init(&e->child, on_end);
    int r = spawn(e, s);
    (void)snprintf(e->pid_key, sizeof(e->pid_key), "%d", (int)e->child.proc.pid);
    if (r == 0)
        r = hash_put(e->by_pid, e->pid_key, e);
    if (r == 0)
        r = loop_io_add(e->loop, &e->out, EPOLLIN);
    if (r == 0)
        r = loop_child_watch(e->loop, &e->child);
    if (r < 0) {
        (void)job_free(e);
        return r;
    }
    loop_timer_set(e->loop, &e->timer, clock_now_us() + s->limit_us);
    if (ret)
        *ret = e;
    return 0;
}

struct job *job_free(struct job *e)
{
    if (!e)
        return NULL;
    kill_group(e); /* the sub-reaper's reaping takes care of the corpse */
    release(e);
    return NULL;
}
