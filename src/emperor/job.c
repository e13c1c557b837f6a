/* SPDX-License-Identifier: MIT */
/* One process, one pipe, one deadline. The end is that of the process: what its children write
 * after it is nobody's answer. Used by vassal-demand.c, vassal-hook.c and emperor.c. */
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

static void close_output(struct job *j)
{
    if (j->out.fd < 0)
        return;
    loop_io_remove(j->loop, &j->out);
    (void)close(j->out.fd);
    j->out.fd = -1;
}

/* What is there now; what is over the bound is read and dropped. */
static void take_output(struct job *j)
{
    char rest[512];

    for (int i = 0; i < 64 && j->out.fd >= 0; i++) {
        bool room = j->len < OUTPUT_MAX_BYTES;
        ssize_t n = room ? read(j->out.fd, j->output + j->len, OUTPUT_MAX_BYTES - j->len)
                         : read(j->out.fd, rest, sizeof(rest));
        if (n < 0)
            return;
        if (n == 0)
            close_output(j);
        else if (room)
            j->len += (size_t)n;
    }
}

static void on_output(struct loop_io *io, uint32_t events)
{
    (void)events;
    take_output(container_of(io, struct job, out));
}

static void kill_group(const struct job *j)
{
    if (j->child.proc.pid > 0)
        (void)kill(-j->child.proc.pid, SIGKILL); /* ESRCH: it has not made its group yet */
    (void)proc_signal(&j->child.proc, SIGKILL);
}

static void on_late(struct loop_timer *t)
{
    struct job *j = container_of(t, struct job, timer);

    j->late = true;
    kill_group(j);
}

static void release(struct job *j)
{
    (void)hash_remove(j->by_pid, j->pid_key);
    loop_timer_clear(j->loop, &j->timer);
    close_output(j);
    loop_child_done(&j->child);
    free(j);
}

static void on_end(struct loop_child *child, const siginfo_t *info)
{
    struct job *j = container_of(child, struct job, child);

    take_output(j);
    const struct job_end end = {
        .info = *info,
        .ok = !j->late && info->si_code == CLD_EXITED && info->si_status == 0,
        .output = j->output,
        .len = j->len,
    };
    (void)hash_remove(j->by_pid, j->pid_key);
    if (j->fn)
        j->fn(j->data, &end);
    release(j);
}

static int spawn(struct job *j, const struct job_start *s)
{
    int out[2] = {-EBADF, -EBADF};
    _cleanup_close_ int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null_fd < 0 || pipe2(out, O_CLOEXEC) < 0)
        return -errno;
    j->out.fd = out[0];
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
    return proc_spawn(&exec, &j->child.proc);
}

int job_new(const struct job_start *s, struct job **ret)
{
    struct job *j = calloc(1, sizeof(*j));

    if (!j)
        return -ENOMEM;
    *j = (struct job){
        .loop = s->loop,
        .by_pid = s->by_pid,
        .out = {.fd = -1, .fn = on_output},
        .timer = {.fn = on_late},
        .fn = s->fn,
        .data = s->data,
    };
    loop_child_init(&j->child, on_end);
    int r = spawn(j, s);
    (void)snprintf(j->pid_key, sizeof(j->pid_key), "%d", (int)j->child.proc.pid);
    if (r == 0)
        r = hash_put(j->by_pid, j->pid_key, j);
    if (r == 0)
        r = loop_io_add(j->loop, &j->out, EPOLLIN);
    if (r == 0)
        r = loop_child_watch(j->loop, &j->child);
    if (r < 0) {
        (void)job_free(j);
        return r;
    }
    loop_timer_set(j->loop, &j->timer, clock_now_us() + s->limit_us);
    if (ret)
        *ret = j;
    return 0;
}

pid_t job_pid(const struct job *j)
{
    return j->child.proc.pid;
}

struct job *job_free(struct job *j)
{
    if (!j)
        return NULL;
    kill_group(j); /* the sub-reaper's reaping takes care of the corpse */
    release(j);
    return NULL;
}
