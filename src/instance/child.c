/* SPDX-License-Identifier: MIT */
/* What all processes below a master begin with: they leave what is the master's, load what they are
 * to run, and serve. A zygote's own life is in forker.c. */
#include "instance/child-private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/ksm.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/title.h"
#include "instance/adopted.h"
#include "instance/load.h"
#include "instance/procname.h"
#include "ipc/message.h"
#include "worker/worker.h"

void child_set_role(const struct child_start *start, const char *role, const char *state)
{
    log_set_subject("%s%s%s", start->name, *start->name ? " " : "", role);
    procname_set(start->registry, role);
    title_set_state(state);
}

void child_set_worker_role(const struct child_start *start, int id)
{
    char role[32];

    (void)snprintf(role, sizeof(role), "worker %d", id);
    child_set_role(start, role, "starting");
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

void child_leave_master(const struct child_start *start)
{
    int r = close_masters_fds(start);

    if (r < 0) {
        (void)log_errno(LOG_ERR, r, "cannot close the master's descriptors");
        _exit(EXIT_FAILURE);
    }
    logger_enter(start->logger, start->output_fd);
    if (start->warm) {
        (void)sigaction(SIGCHLD, &start->warm->on_child, NULL);
        (void)sigaction(SIGPIPE, &start->warm->on_pipe, NULL);
        proc_unblock_signals();
        return;
    }
    proc_reset_signals();
    proc_catch_sigpipe();
}

void child_die_with_master(const struct child_start *start)
{
    if (proc_die_with_parent(start->master) < 0)
        _exit(EXIT_FAILURE); /* the master is gone already */
}

_noreturn_ void child_give_up(int channel_fd, enum family_type type, const struct errmsg *err)
{
    (void)message_send_text(channel_fd, (uint16_t)type, 0, err->text);
    _exit(INSTANCE_EXIT_BOOT);
}

/* What a vassal has from its base the base has said it of. */
void child_merge_memory(const struct child_start *start)
{
    if (!start->registry->instance.ksm)
        return;
    int r = ksm_merge_memory();

    if (r < 0)
        (void)log_errno(LOG_WARNING, r, "ksm: memory is not merged");
    else if (!start->warm && !ksm_is_on())
        log_warning("ksm: memory is not merged until 1 is in /sys/kernel/mm/ksm/run");
}

int child_load(const struct child_start *start, struct loaded *ret, struct errmsg *err)
{
    int r = load_applications(start, &ret->apps, err);

    if (r == 0)
        r = load_static_files(start, &ret->site, err);
    return r;
}

/* True if other instances may serve on the same sockets. */
static bool shares_listeners(const struct instance_conf *conf)
{
    return conf->zerg_server || conf->zergs.n_items > 0;
}

_noreturn_ void child_serve(const struct child_start *start, const struct loaded *loaded, int id,
                            int channel_fd)
{
    const struct registry *registry = start->registry;
    struct worker_listener listeners[LISTEN_MAX_SOCKETS];
    struct forker_model model = {.start = start, .loaded = loaded};
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
        .become_zygote = forker_become,
        .zygote_data = &model,
    };
    if (registry->worker.refork_after != 0 && fork_check_begin(&model.before) < 0)
        _exit(EXIT_FAILURE);
    _exit(worker_run(&ws));
}

_noreturn_ void lazy_worker_main(const struct child_start *start)
{
    struct loaded loaded = {.site = NULL};
    struct errmsg err = {""};

    child_set_worker_role(start, start->worker_id);
    child_leave_master(start);
    child_die_with_master(start);
    if (child_load(start, &loaded, &err) < 0)
        child_give_up(start->channel_fd, FAMILY_WORKER_FAILED, &err);
    child_merge_memory(start);
    child_serve(start, &loaded, start->worker_id, start->channel_fd);
}
