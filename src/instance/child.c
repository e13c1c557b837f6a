/* SPDX-License-Identifier: MIT */
/* The processes that an instance's master forks: a zygote, which loads the application and then
 * waits for orders to fork, and a worker that loads for itself (lazy-apps).
 *
 * A worker that the zygote forks becomes the master's child (a sub-reaper), so that the zygote has
 * nobody to wait for, and dies with the master. */
#include "instance/child.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/title.h"
#include "instance/adopted.h"
#include "instance/fork-check.h"
#include "instance/load.h"
#include "instance/procname.h"
#include "ipc/adoption.h"
#include "ipc/family.h"
#include "ipc/message.h"
#include "worker/sources.h"
#include "worker/worker.h"

static _noreturn_ void end(int code)
{
    _exit(code);
}

/* What we are called in the log, and by ps(1). */
static void set_role(const struct child_start *start, const char *role, const char *state)
{
    log_set_subject("%s%s%s", start->name, *start->name ? " " : "", role);
    procname_set(start->registry, role);
    title_set_state(state);
}

static void set_worker_role(const struct child_start *start, int id)
{
    char role[32];

    (void)snprintf(role, sizeof(role), "worker %d", id);
    set_role(start, role, "starting");
}

static int close_masters_fds(const struct child_start *start)
{
    const int own[] = {start->channel_fd, start->queue->give_fd, start->queue->take_fd,
                       start->logger->give_fd, start->output_fd};
    const size_t n_warm = start->warm ? start->warm->n_fds : 0;
    _cleanup_free_ int *keep =
        calloc(COUNT_OF(own) + start->listeners->n_items + n_warm, sizeof(*keep));
    size_t n_keep = 0;

    if (!keep)
        return -ENOMEM;
    for (size_t i = 0; i < COUNT_OF(own); i++)
        keep[n_keep++] = own[i];
    for (size_t i = 0; i < start->listeners->n_items; i++)
        keep[n_keep++] = start->listeners->items[i]->fd;
    for (size_t i = 0; i < n_warm; i++)
        keep[n_keep++] = start->warm->fds[i];
    return fd_close_all_except(keep, n_keep);
}

/* Everything that is the master's and not ours is closed; then signals as a program expects them,
 * or as applications that are there have set them. */
static void leave_master(const struct child_start *start)
{
    int r = close_masters_fds(start);

    if (r < 0) {
        (void)log_errno(LOG_ERR, r, "cannot close the master's descriptors");
        end(EXIT_FAILURE);
    }
    logger_enter(start->logger, start->output_fd);
    if (start->warm)
        proc_unblock_signals();
    else
        proc_reset_signals();
    proc_catch_sigpipe();
}

static void die_with_master(const struct child_start *start)
{
    if (proc_die_with_parent(start->master) < 0)
        end(EXIT_FAILURE); /* the master is gone already */
}

/* Says why to the master, who says it to the operator. */
static _noreturn_ void give_up(int channel_fd, enum family_type type, const struct errmsg *err)
{
    (void)message_send_text(channel_fd, (uint16_t)type, 0, err->text);
    end(INSTANCE_EXIT_BOOT);
}

/* What a process that runs applications has loaded. */
struct loaded {
    struct apps apps;
    struct static_site *site;
};

static int load(const struct child_start *start, struct loaded *ret, struct errmsg *err)
{
    int r = load_applications(start, &ret->apps, err);

    return r < 0 ? r : load_static_files(start, &ret->site, err);
}

/* Loads for workers that are forked later. */
static int load_to_fork(const struct child_start *start, struct loaded *ret, struct errmsg *err)
{
    _cleanup_(fork_check_done) struct fork_baseline before = {.fds = NULL};
    enum fork_check mode = FORK_CHECK_WARN;

    int r = fork_check_find(start->registry->instance.fork_check, &mode);
    if (r == 0)
        r = fork_check_begin(&before);
    if (r < 0)
        return errmsg_set_errno(err, r, "fork-check");
    r = load(start, ret, err);
    if (r == 0)
        (void)sources_tell(&ret->apps, start->channel_fd, true);
    if (r == 0)
        r = fork_check_end(&before, mode, &ret->apps, err);
    if (r == 0)
        apps_settle(&ret->apps);
    return r;
}

/* A worker as its copy sees it, if that becomes the zygote. */
struct model {
    const struct child_start *start;
    const struct loaded *loaded;
    struct fork_baseline before; /* what the zygote had given it */
};

static _noreturn_ void become_zygote(const void *data, int channel_fd, int output_fd);

/* True if other instances may serve on the same sockets. */
static bool shares_listeners(const struct instance_conf *conf)
{
    return conf->zerg_server || conf->zergs.n_items > 0;
}

static _noreturn_ void serve(const struct child_start *start, const struct loaded *loaded, int id,
                             int channel_fd)
{
    const struct registry *registry = start->registry;
    struct worker_listener listeners[LISTEN_MAX_SOCKETS];
    struct model model = {.start = start, .loaded = loaded};
    size_t n = start->listeners->n_items;

    for (size_t i = 0; i < n; i++)
        listeners[i] = (struct worker_listener){
            .fd = start->listeners->items[i]->fd,
            .id = start->listeners->items[i]->id,
            .protocol = start->listeners->protocols[i],
            .tls = start->listeners->tls[i],
            .name = start->listeners->items[i]->text,
        };
    const struct worker_start ws = {
        .id = id,
        .name = start->name,
        .master = start->master,
        .channel_fd = channel_fd,
        .listeners = listeners,
        .n_listeners = n,
        .shared_listeners = shares_listeners(&start->registry->instance),
        .queue = *start->queue,
        .board = start->board,
        .conf = &registry->worker,
        .apps = &loaded->apps,
        .site = loaded->site,
        .become_zygote = become_zygote,
        .zygote_data = &model,
    };
    if (registry->worker.refork_after != 0 && fork_check_begin(&model.before) < 0)
        end(EXIT_FAILURE);
    end(worker_run(&ws));
}

_noreturn_ void lazy_worker_main(const struct child_start *start)
{
    struct loaded loaded = {.site = NULL};
    struct errmsg err = {""};

    set_worker_role(start, start->worker_id);
    leave_master(start);
    die_with_master(start);
    if (load(start, &loaded, &err) < 0)
        give_up(start->channel_fd, FAMILY_WORKER_FAILED, &err);
    serve(start, &loaded, start->worker_id, start->channel_fd);
}

/* A worker that the zygote has just forked; it is the master's child now. */
static _noreturn_ void forked_worker(const struct child_start *start, const struct loaded *loaded,
                                     int id, int channel_fd, int output_fd)
{
    const struct message hello = {.type = FAMILY_HELLO};

    (void)close(start->channel_fd);
    die_with_master(start);
    if (message_send(channel_fd, &hello) < 0)
        end(EXIT_FAILURE); /* the master closed the channel: it wants us no more */
    set_worker_role(start, id);
    logger_enter(start->logger, output_fd);
    apps_after_fork_child(&loaded->apps);
    serve(start, loaded, id, channel_fd);
}

/* Forks worker @id. Returns in the zygote only: 0 or a negative errno. */
static int fork_worker(const struct child_start *start, const struct loaded *loaded, int id,
                       int channel_fd, int output_fd)
{
    apps_before_fork(&loaded->apps);
    int r = proc_fork_orphan();
    if (r == 0)
        forked_worker(start, loaded, id, channel_fd, output_fd);
    apps_after_fork_parent(&loaded->apps);
    return r < 0 ? r : 0;
}

/* Forks a vassal for the Emperor at the other end of @fd. The interpreters in the new process learn
 * of it when they are used there, in the zygotes of that vassal. */
static int fork_vassal(const struct child_start *start, const struct loaded *loaded, int fd)
{
    apps_before_fork(&loaded->apps);
    int r = proc_fork_orphan();
    if (r == 0)
        adopted_main(start, &loaded->apps, fd);
    apps_after_fork_parent(&loaded->apps);
    return r < 0 ? r : 0;
}

static void obey(const struct child_start *start, const struct loaded *loaded, struct message *m)
{
    if (m->type == FAMILY_ADOPT && m->n_fds == 1) {
        int r = fork_vassal(start, loaded, m->fds[0]);
        if (r < 0)
            adoption_refuse(m->fds[0], strerror(-r));
    }
    if (m->type == FAMILY_FORK && m->n_fds >= 1) {
        int output_fd = m->n_fds >= 2 ? m->fds[1] : -1;
        int r = fork_worker(start, loaded, (int)m->value, m->fds[0], output_fd);
        if (r < 0)
            (void)message_send_text(start->channel_fd, FAMILY_FORK_FAILED, m->value, strerror(-r));
    }
    message_close_fds(m);
}

/* Has loaded, says so, and forks from now on. */
static _noreturn_ void wait_for_orders(const struct child_start *start, const struct loaded *loaded)
{
    struct message_buffer buf;
    struct message m;

    title_set_state("");
    if (message_send_text(start->channel_fd, FAMILY_LOADED, 0, "") < 0)
        end(EXIT_FAILURE);
    for (;;) {
        struct pollfd p = {.fd = start->channel_fd, .events = POLLIN};
        apps_wait_begin(&loaded->apps);
        (void)poll(&p, 1, -1); /* EINTR: look again */
        apps_wait_end(&loaded->apps);
        int r = message_receive(start->channel_fd, &buf, &m);
        if (r > 0)
            obey(start, loaded, &m);
        else if (r != -EAGAIN)
            end(EXIT_SUCCESS); /* the master closed the channel */
    }
}

_noreturn_ void zygote_main(const struct child_start *start)
{
    struct loaded loaded = {.site = NULL};
    struct errmsg err = {""};

    set_role(start, "zygote", "loading");
    leave_master(start);
    die_with_master(start);
    if (load_to_fork(start, &loaded, &err) < 0)
        give_up(start->channel_fd, FAMILY_LOAD_FAILED, &err);
    wait_for_orders(start, &loaded);
}

/* What a worker's application has opened for itself must not be everybody's. */
static _noreturn_ void become_zygote(const void *data, int channel_fd, int output_fd)
{
    const struct model *model = data;
    struct fork_baseline before = model->before;
    const struct message hello = {.type = FAMILY_HELLO};
    struct child_start start = *model->start;
    struct errmsg err = {""};

    start.channel_fd = channel_fd;
    start.output_fd = output_fd;
    start.worker_id = 0;
    set_role(&start, "zygote", "");
    die_with_master(&start);
    if (message_send(channel_fd, &hello) < 0)
        end(EXIT_FAILURE); /* the master wants us no more */
    logger_enter(start.logger, output_fd);
    /* Signals stay as they are: the worker's own are given back, the application's are its. */
    apps_after_fork_child(&model->loaded->apps);
    if (apps_zygote_start(&model->loaded->apps, &err) < 0 ||
        fork_check_add(&before, channel_fd) < 0 || fork_check_add(&before, output_fd) < 0 ||
        fork_check_end(&before, FORK_CHECK_REFUSE, &model->loaded->apps, &err) < 0)
        give_up(channel_fd, FAMILY_LOAD_FAILED, &err);
    wait_for_orders(&start, model->loaded);
}
