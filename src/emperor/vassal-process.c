/* SPDX-License-Identifier: MIT */
/* A process ends once: its pidfd becomes readable, its process group is killed while the pid still
 * cannot mean another process, what it said last is heard, and it is reaped. */
#include "emperor/vassal-process.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/errmsg.h"
#include "emperor/launch.h"
#include "emperor/succession.h"
#include "emperor/vassal-base.h"
#include "emperor/vassal-config.h"
#include "emperor/vassal-demand.h"
#include "emperor/vassal-past.h"
#include "emperor/vassal-talk.h"
#include "emperor/vassal.h"

/* Kills whatever is left of the process group. Only while the vassal's process is not reaped: until
 * then its pid, which is the group's number, belongs to nobody else. */
static void kill_group(const struct vassal *v)
{
    assert(v->proc.pid > 0);

    (void)kill(-v->proc.pid, SIGKILL); /* ESRCH: nobody is left, or it has not made its group yet */
}

void vassal_kill(struct vassal *v)
{
    if (!vassal_runs(v))
        return;
    (void)proc_signal(&v->proc, SIGKILL); /* ESRCH: it has ended, and its pidfd says so */
    kill_group(v);
}

/* It is not the process of this record any more. */
static void let_go(struct vassal *v)
{
    struct loop *l = v->realm->loop;

    loop_timer_clear(l, &v->heart);
    loop_io_remove(l, &v->end_io);
    v->end_io.fd = -1;
    (void)hash_remove(&v->realm->by_pid, v->pid_key);
    vassal_base_withdraw(v);
}

static void forget_process(struct vassal *v)
{
    let_go(v);
    vassal_talk_close(v);
    vassal_config_close(v);
    vassal_log_close(&v->log);
}

static void on_end(struct loop_io *io, uint32_t events)
{
    struct vassal *v = container_of(io, struct vassal, end_io);
    struct vassal_realm *realm = v->realm;
    pid_t pid = v->proc.pid;
    siginfo_t end = {0};

    (void)events;
    kill_group(v);
    vassal_talk_drain(v);
    forget_process(v);
    if (proc_reap(&v->proc, &end) <= 0)
        proc_done(&v->proc);
    (void)proc_describe_end(&end, v->last_end, sizeof(v->last_end));

    char reason[sizeof(v->life.complaint) + sizeof(v->last_end) + 32];
    (void)snprintf(reason, sizeof(reason), "process %d %s%s%s", (int)pid, v->last_end,
                   v->life.complaint[0] ? ": " : "", v->life.complaint);
    if (v->zerg > 0) {
        vassal_past_tell_lord(v);
        vassal_handle(v, VASSAL_REMOVED, "who reinforces is not started again");
    } else if (v->succeeds) {
        vassal_handle(v, VASSAL_REMOVED, "%s", reason);
    }
    bool failed = vassal_settle_ended(v) < 0;
    enum vassal_event event = failed ? VASSAL_FAILED : vassal_past_judge(v, &end);
    if (!succession_is_awaited(v)) /* else it has ended when that has */
        vassal_handle(v, event, "%s", reason);
    realm->on_end(realm);
}

static int listen_to(struct vassal *v, struct launched *started)
{
    struct vassal_realm *realm = v->realm;

    v->proc = started->proc;
    v->end_io = (struct loop_io){.fd = v->proc.pidfd, .fn = on_end};
    (void)snprintf(v->pid_key, sizeof(v->pid_key), "%d", (int)v->proc.pid);
    int r = vassal_talk_open(v, started->pipe_fd, started->status_fd);
    if (started->config_fd >= 0) {
        int config_r = started->configured ? vassal_config_adopt(v, started->config_fd)
                                           : vassal_config_open(v, started->config_fd);
        r = r < 0 ? r : config_r;
    }
    if (started->log_fd >= 0) {
        int log_r = vassal_log_open(&v->log, started->log_fd);
        r = r < 0 ? r : log_r;
    }
    if (r == 0)
        r = hash_put(&realm->by_pid, v->pid_key, v);
    if (r == 0)
        r = loop_io_add(realm->loop, &v->end_io, EPOLLIN);
    return r;
}

int vassal_adopt(struct vassal *v, struct launched *started)
{
    int r = listen_to(v, started);

    if (r < 0) { /* the subreaper's reaping takes care of the corpse */
        (void)proc_signal(&v->proc, SIGKILL);
        forget_process(v);
        proc_done(&v->proc);
    }
    return r;
}

/* Takes the process and all that belongs to it out of the record. */
static struct launched take_process(struct vassal *v)
{
    struct launched taken = {.proc = v->proc, .configured = true};

    v->proc = PROC_NONE;
    let_go(v);
    vassal_talk_take(v, &taken.pipe_fd, &taken.status_fd);
    taken.config_fd = vassal_config_take(v);
    taken.log_fd = vassal_log_take(&v->log);
    return taken;
}

static uint64_t next_heartbeat(const struct vassal *v)
{
    return loop_timer_is_set(&v->heart) ? v->heart.at_us : 0;
}

int vassal_exchange(struct vassal *a, struct vassal *b)
{
    struct loop *l = a->realm->loop;
    uint64_t heart_a = next_heartbeat(a), heart_b = next_heartbeat(b);
    struct launched of_a = take_process(a), of_b = take_process(b);

    vassal_log_append(&a->log, &b->log);
    const struct vassal_life life = a->life;
    a->life = b->life;
    b->life = life;
    int r = vassal_adopt(a, &of_b);
    int other = vassal_adopt(b, &of_a);
    if (heart_b > 0 && r == 0)
        loop_timer_set(l, &a->heart, heart_b);
    if (heart_a > 0 && other == 0)
        loop_timer_set(l, &b->heart, heart_a);
    return r;
}

struct launch vassal_launch(const struct vassal *v)
{
    const struct demand *demand = v->elder ? v->elder->demand : v->demand;
    const char *program = vassal_attribute(v, v->realm->conf->wrapper_attr);
    const char *cwd = vassal_attribute(v, v->realm->conf->chdir_attr);

    return (struct launch){
        .conf = v->realm->conf,
        .binary = program ? program : v->realm->binary,
        .environ = v->realm->environ,
        .nofile = &v->realm->nofile,
        .name = v->name,
        .directory = v->monitor->directory,
        .cwd = cwd ? cwd : v->monitor->directory,
        .program = v->program ? v->path : NULL,
        .sends_config = vassal_item(v) && vassal_item(v)->config,
        .zerg = v->zerg,
        .socket_fd = demand ? demand->io.fd : -1,
        .older_fd = succession_fd(v),
    };
}

int vassal_start_program(struct vassal *v, struct errmsg *err)
{
    struct launched started = LAUNCHED_NONE;
    struct launch how = vassal_launch(v);
    int r = launch(&how, &started);

    if (r == 0)
        r = vassal_adopt(v, &started);
    return r < 0 ? errmsg_set_errno(err, r, "cannot start a process") : 0;
}

void vassal_process_done(struct vassal *v)
{
    if (!vassal_runs(v))
        return;
    vassal_kill(v);
    forget_process(v);
    proc_done(&v->proc);
}

bool realm_awaits(const struct vassal_realm *realm, pid_t pid)
{
    char key[12];

    (void)snprintf(key, sizeof(key), "%d", (int)pid);
    return hash_get(&realm->by_pid, key) != NULL;
}
