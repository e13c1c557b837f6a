/* SPDX-License-Identifier: MIT */
/* The life of a process that has loaded the applications and forks on request: a zygote. It forks
 * workers for its master, and in a base vassal masters of other instances, for the Emperor: by the
 * same steps, but for what the new process is then.
 *
 * Whatever it forks becomes the child of the nearest sub-reaper above it, which is who wanted it: a
 * worker its master's, a vassal its Emperor's. So it has nobody to wait for, and dies with its
 * master without a loss to them. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/malloc-heap.h"
#include "base/proc.h"
#include "base/snapshot.h"
#include "base/strv.h"
#include "base/title.h"
#include "instance/adopted.h"
#include "instance/child-private.h"
#include "ipc/adoption.h"
#include "ipc/message.h"
#include "worker/sources.h"
#include "worker/stacks.h"

/* A worker, in the new process. */
static void begin_worker(const struct child_start *start, const struct loaded *loaded,
                         const struct message *order)
{
    const struct message hello = {.type = FAMILY_HELLO};
    const int id = (int)order->value, channel_fd = order->fds[0];

    (void)close(start->channel_fd);
    child_die_with_master(start);
    if (message_send(channel_fd, &hello) < 0)
        _exit(EXIT_FAILURE); /* the master closed the channel: it wants us no more */
    child_set_worker_role(start, id);
    logger_enter(start->logger, order->n_fds >= 2 ? order->fds[1] : -1);
    apps_after_fork_child(&loaded->apps);
    child_serve(start, loaded, id, channel_fd);
}

static void say_no_worker(const struct child_start *start, const struct message *order, int error)
{
    (void)message_send_text(start->channel_fd, FAMILY_FORK_FAILED, order->value, strerror(-error));
}

/* A vassal. The interpreters in the new process learn of the fork where they are used: in its own
 * zygotes. */
static void begin_vassal(const struct child_start *start, const struct loaded *loaded,
                         const struct message *order)
{
    adopted_main(start, &loaded->apps, &loaded->before, order->fds[0]);
}

static void say_no_vassal(const struct child_start *start, const struct message *order, int error)
{
    (void)start;
    adoption_refuse(order->fds[0], strerror(-error));
}

/* clang-format off */
static const struct order {
    size_t min_fds;
    /* In the new process: does not return. */
    void (*begin)(const struct child_start *start, const struct loaded *loaded,
                  const struct message *order);
    /* There is none. */
    void (*say_no)(const struct child_start *start, const struct message *order, int error);
} orders[FAMILY_TYPE_COUNT] = {
    [FAMILY_FORK]  = { 1, begin_worker, say_no_worker },
    [FAMILY_ADOPT] = { 1, begin_vassal, say_no_vassal },
};
/* clang-format on */

/* With @still nothing but this thread runs here, and this thread only forks: the interpreters are
 * told of the first fork and then left as they are for it, which writes to none of their pages. */
static void obey(const struct child_start *start, const struct loaded *loaded, struct message *m,
                 bool still)
{
    const struct order *o = m->type < FAMILY_TYPE_COUNT ? &orders[m->type] : NULL;

    if (o && o->begin && m->n_fds >= o->min_fds) {
        if (!still)
            apps_before_fork(&loaded->apps);
        int r = proc_fork_orphan();
        if (r == 0)
            o->begin(start, loaded, m);
        if (!still)
            apps_after_fork_parent(&loaded->apps);
        if (r < 0)
            o->say_no(start, m, r);
    }
    message_close_fds(m);
}

static int note_pristine(struct pristine *ret)
{
    ret->umask = umask(0);
    (void)umask(ret->umask);
    return strv_copy(&ret->environ, (const char *const *)environ);
}

/* What vassals have in common shall stay so. */
static void keep_memory(void)
{
    malloc_leave_heap();
    int r = proc_count_threads() == 1 ? snapshot_take() : -EBUSY;
    if (r < 0)
        (void)log_errno(LOG_INFO, r,
                        "vassals that have had no request for a while will not share memory again");
}

/* Loads for what is forked later. */
static int load_to_fork(const struct child_start *start, struct loaded *ret, struct errmsg *err)
{
    _cleanup_(fork_check_done) struct fork_baseline before = {.fds = NULL};
    const bool is_base = start->registry->instance.fork_server != NULL;
    enum fork_check mode = FORK_CHECK_WARN;

    int r = fork_check_find(start->registry->instance.fork_check, &mode);
    if (r == 0)
        r = fork_check_begin(&before);
    if (r < 0)
        return errmsg_set_errno(err, r, "fork-check");
    stacks_prepare();
    if (is_base) {
        r = note_pristine(&ret->before);
        malloc_keep_on_heap();
    }
    if (r < 0)
        return errmsg_set_errno(err, r, "environment");
    r = child_load(start, ret, err);
    if (r == 0)
        (void)sources_tell(&ret->apps, start->channel_fd, true);
    if (r == 0)
        r = fork_check_end(&before, mode, &ret->apps, err);
    if (r == 0)
        apps_settle(&ret->apps);
    if (r == 0 && is_base)
        keep_memory();
    if (r == 0)
        child_merge_memory(start);
    return r;
}

/* Has loaded, says so, and forks from now on. */
static _noreturn_ void wait_for_orders(const struct child_start *start, const struct loaded *loaded)
{
    struct message_buffer buf;
    struct message m;

    const bool still = proc_count_threads() == 1;

    title_set_state("");
    if (still)
        apps_before_fork(&loaded->apps);
    if (message_send_text(start->channel_fd, FAMILY_LOADED, 0, "") < 0)
        _exit(EXIT_FAILURE);
    for (;;) {
        struct pollfd p = {.fd = start->channel_fd, .events = POLLIN};
        if (!still)
            apps_wait_begin(&loaded->apps);
        (void)poll(&p, 1, -1); /* EINTR: look again */
        if (!still)
            apps_wait_end(&loaded->apps);
        int r = message_receive(start->channel_fd, &buf, &m);
        if (r > 0)
            obey(start, loaded, &m, still);
        else if (r != -EAGAIN)
            _exit(EXIT_SUCCESS); /* the master closed the channel */
    }
}

_noreturn_ void zygote_main(const struct child_start *start)
{
    struct loaded loaded = {.site = NULL};
    struct errmsg err = {""};

    child_set_role(start, "zygote", "loading");
    child_leave_master(start);
    child_die_with_master(start);
    if (load_to_fork(start, &loaded, &err) < 0)
        child_give_up(start->channel_fd, FAMILY_LOAD_FAILED, &err);
    wait_for_orders(start, &loaded);
}

/* What a worker's application has opened for itself must not be everybody's. */
_noreturn_ void forker_become(const void *data, int channel_fd, int output_fd)
{
    const struct forker_model *model = data;
    struct fork_baseline before = model->before;
    const struct message hello = {.type = FAMILY_HELLO};
    struct child_start start = *model->start;
    struct errmsg err = {""};

    start.channel_fd = channel_fd;
    start.output_fd = output_fd;
    start.worker_id = 0;
    child_set_role(&start, "zygote", "");
    child_die_with_master(&start);
    if (message_send(channel_fd, &hello) < 0)
        _exit(EXIT_FAILURE); /* the master wants us no more */
    logger_enter(start.logger, output_fd);
    /* Signals stay as they are: the worker's own are given back, the application's are its. */
    apps_after_fork_child(&model->loaded->apps);
    if (apps_zygote_start(&model->loaded->apps, &err) < 0 ||
        fork_check_add(&before, channel_fd) < 0 || fork_check_add(&before, output_fd) < 0 ||
        fork_check_end(&before, FORK_CHECK_REFUSE, &model->loaded->apps, &err) < 0)
        child_give_up(channel_fd, FAMILY_LOAD_FAILED, &err);
    wait_for_orders(&start, model->loaded);
}
