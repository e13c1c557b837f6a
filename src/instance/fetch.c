/* SPDX-License-Identifier: MIT */
/* The process that waits for commands, servers and the Emperor while a master reads its
 * configuration again. It is a fork of the master, loads the configuration as the master would, and
 * ends; what it has read is in a file in memory that both have open. The master then loads with
 * these texts and waits for nothing. Called by reload.c. */
#include "instance/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/title.h"
#include "ipc/config-pipe.h"
#include "ipc/fdmap.h"

#define LIMIT_US (60 * US_PER_SEC) /* for all sources of a configuration together */

static void no_warning(const char *text)
{
    (void)text; /* the master's own load says it */
}

/* The descriptor that an Emperor's variable names, or -1. */
static int find_fd(const char *const *environ, const char *name)
{
    const char *text = vassal_env_find(environ, name);

    return text ? (int)strtol(text, NULL, 10) : -1;
}

/* The sockets of the instance are not for commands to hold open. */
static int close_others(const struct registry_input *in, int result_fd)
{
    const int keep[] = {result_fd, find_fd(in->environ, VASSAL_ENV_EMPEROR_FD),
                        find_fd(in->environ, VASSAL_ENV_CONFIG_FD)};

    return fd_close_all_except(keep, COUNT_OF(keep));
}

static int load(const struct registry_input *in, int result_fd, struct errmsg *err)
{
    struct registry *registry = NULL;
    struct registry_input mine = *in;

    mine.warn = no_warning;
    mine.receive = config_pipe_request;
    mine.sources->offline = false;
    int r = registry_load(&mine, &registry, err);
    if (r < 0)
        return r;
    r = source_cache_write(mine.sources, false, result_fd);
    return r < 0 ? errmsg_set_errno(err, r, "cannot pass on what was read") : 0;
}

/* In the child. */
static _noreturn_ void run(const struct registry_input *in, int result_fd, pid_t parent)
{
    struct errmsg err = {""};

    proc_reset_signals();
    if (proc_end_with_parent(parent, SIGTERM) < 0)
        _exit(EXIT_FAILURE);
    title_set_state("reads the configuration");
    int r = close_others(in, result_fd);
    if (r < 0)
        (void)errmsg_set_errno(&err, r, "cannot close descriptors");
    else
        r = load(in, result_fd, &err);
    if (r < 0 && ftruncate(result_fd, 0) == 0)
        (void)!pwrite(result_fd, err.text, strlen(err.text), 0); /* then it has no sentence */
    _exit(r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

static void on_child(struct loop_child *child, const siginfo_t *end)
{
    struct fetch *f = container_of(child, struct fetch, child);

    loop_timer_clear(f->loop, &f->limit);
    f->end = *end;
    f->state = FETCH_ENDED;
    f->on_end(f->data);
}

static void on_limit(struct loop_timer *t)
{
    struct fetch *f = container_of(t, struct fetch, limit);

    f->too_long = true;
    (void)proc_signal(&f->child.proc, SIGTERM); /* if it has just ended, so much the better */
}

void fetch_init(struct fetch *f, void (*on_end)(void *data), void *data)
{
    *f = (struct fetch){.limit.fn = on_limit, .result_fd = -1, .on_end = on_end, .data = data};
    loop_child_init(&f->child, on_child);
}

int fetch_start(struct fetch *f, struct loop *l, const struct registry_input *in,
                struct errmsg *err)
{
    _cleanup_close_ int fd = memfd_create("configuration", MFD_CLOEXEC);
    const pid_t parent = getpid();

    if (fd < 0)
        return errmsg_set_errno(err, -errno, "cannot read the configuration");
    int r = proc_fork(&f->child.proc);
    if (r == 0)
        run(in, fd, parent);
    if (r > 0)
        r = loop_child_watch(l, &f->child);
    if (r < 0) {
        (void)proc_signal(&f->child.proc, SIGTERM);
        loop_child_done(&f->child);
        return errmsg_set_errno(err, r, "cannot read the configuration");
    }
    f->loop = l;
    f->too_long = false;
    f->result_fd = TAKE_FD(fd);
    f->state = FETCH_BUSY;
    loop_timer_set(l, &f->limit, loop_now_us(l) + LIMIT_US);
    return 0;
}

/* The sentence that a process that failed has left. */
static int read_sentence(const struct fetch *f, struct errmsg *err)
{
    char text[sizeof(err->text)] = "";
    ssize_t n = pread(f->result_fd, text, sizeof(text) - 1, 0);

    return errmsg_set(err, -EIO, "%s", n > 0 ? text : "the configuration could not be read");
}

int fetch_take(struct fetch *f, struct source_cache *ret, struct errmsg *err)
{
    char how[96];
    int r = 0;

    if (f->too_long)
        r = errmsg_set(err, -ETIME, "the sources of the configuration took longer than %d s",
                       (int)(LIMIT_US / US_PER_SEC));
    else if (f->end.si_code != CLD_EXITED)
        r = errmsg_set(err, -EIO, "the process that reads the configuration %s",
                       proc_describe_end(&f->end, how, sizeof(how)));
    else if (f->end.si_status != 0)
        r = read_sentence(f, err);
    else if ((r = source_cache_read(ret, f->result_fd)) < 0)
        (void)errmsg_set_errno(err, r, "what was read of the configuration");
    fetch_cancel(f);
    return r;
}

void fetch_cancel(struct fetch *f)
{
    if (f->state == FETCH_BUSY) {
        (void)proc_signal(&f->child.proc, SIGTERM); /* it is reaped as a stranger */
        loop_child_done(&f->child);
        loop_timer_clear(f->loop, &f->limit);
    }
    closep(&f->result_fd);
    f->result_fd = -1;
    f->state = FETCH_IDLE;
}
