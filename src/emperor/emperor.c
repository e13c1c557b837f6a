/* SPDX-License-Identifier: MIT */
/* The Emperor: the loop, the monitors, the court of vassals, the stats, and the signals that an
 * operator sends. One process, one thread. It reads bytes, short messages, and of configurations
 * what contents.h says, and obeys no setting of a vassal's. Nothing it does waits. Called by the
 * program liege. */
#include "emperor/emperor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/cred.h"
#include "base/hook.h"
#include "base/log.h"
#include "base/pidfile.h"
#include "base/proc.h"
#include "base/strv.h"
#include "emperor/control.h"
#include "emperor/court.h"
#include "emperor/job.h"
#include "emperor/log-out.h"
#include "emperor/memory.h"
#include "emperor/monitor-given.h"
#include "emperor/stats.h"
#include "emperor/upgrade.h"
#include "emperor/vassal-base.h"
#include "ipc/link.h"
#include "loop/service.h"

#define LAST_LINES_US (1 * US_PER_SEC)  /* that a slow reader of the log is given at the end */
#define TRIAL_US      (60 * US_PER_SEC) /* for the new program to check the configuration */

struct emperor {
    const struct emperor_start *start;
    const struct emperor_conf *conf;
    struct loop *loop;
    struct court court;
    struct memory memory;
    struct monitor **monitors;
    size_t n_monitors;
    struct stats_server *stats;
    struct control *control;
    struct pidfile pidfile;
    struct log_out log;
    struct service service;
    struct link link;       /* to the Emperor whose vassal this one is, if it is one */
    struct upgrade upgrade; /* that this start is the end of */
    struct job *trial;      /* of the program that it shall become */
};

static struct emperor *emperor_of(struct court *c)
{
    return container_of(c, struct emperor, court);
}

static void on_empty(struct court *c)
{
    log_info("all vassals have ended, so does the Emperor");
    loop_stop(emperor_of(c)->loop, 0);
}

static void rescan(struct emperor *e)
{
    for (size_t i = 0; i < e->n_monitors; i++)
        e->monitors[i]->ops->rescan(e->monitors[i]);
}

static void on_hup(struct emperor *e)
{
    court_reload(&e->court, "the Emperor got SIGHUP");
    rescan(e);
}

static void on_usr1(struct emperor *e)
{
    log_info("%zu vassals", e->court.vassals.n_live);
    court_log(&e->court);
}

static void on_urg(struct emperor *e)
{
    court_pardon(&e->court, "the Emperor got SIGURG");
}

static void on_chld(struct emperor *e)
{
    court_reap_orphans(&e->court);
}

static void on_stop(struct emperor *e)
{
    if (e->court.closing) {
        log_info("told to stop again: killing all vassals");
        court_kill(&e->court, "the Emperor was told to stop twice");
        return;
    }
    service_say(&e->service, "STOPPING=1\nSTATUS=%zu vassals are stopping",
                e->court.vassals.n_live);
    log_info("told to stop: %zu vassals are told, and have %.1f s", e->court.vassals.n_live,
             (double)e->conf->curse_tolerance_us / 1e6);
    court_close(&e->court, "the Emperor stops");
}

static void write_log(const char *lines, size_t len, void *data)
{
    log_out_say(data, lines, len);
}

/* From now on no line is waited for. */
static int open_log(struct emperor *e)
{
    int r = log_out_open(&e->log, e->loop, STDERR_FILENO);

    if (r == 0)
        log_set_writer(write_log, &e->log);
    return r;
}

static void close_log(struct emperor *e)
{
    log_set_writer(NULL, NULL);
    log_out_close(&e->log, LAST_LINES_US);
}

/* The Emperor above is told, too, for it may be what has asked for it. */
static void say_kept(const struct emperor *e, const char *why)
{
    link_status(&e->link, STATUS_KEPT, 1, why);
}

/* Becomes the program at start->self; goes on if that fails. */
static void become_new(struct emperor *e)
{
    struct sock_kept sockets[UPGRADE_SOCKET_COUNT] = {
        [UPGRADE_STATS] = e->stats ? stats_server_socket(e->stats) : (struct sock_kept){.fd = -1},
        [UPGRADE_CONTROL] = e->control ? control_socket(e->control) : (struct sock_kept){.fd = -1},
    };

    service_say(&e->service, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=upgrade",
                (unsigned long long)clock_now_us());
    log_info("upgrade: becoming %s", e->start->self);
    int r = service_restore_environment(&e->service);
    if (r == 0) {
        close_log(e);
        link_keep(&e->link, true);
        r = upgrade_exec(e->start->self, e->start->argv, &e->court, sockets);
        link_keep(&e->link, false);
        if (open_log(e) < 0)
            log_error("cannot open the log again: lines are waited for");
    }
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)log_errno(LOG_ERR, r, "upgrade: this program goes on");
    service_say(&e->service, "READY=1\nSTATUS=upgrade failed");
    say_kept(e, "the new program cannot be run");
}

static void on_trial_end(void *data, const struct job_end *end)
{
    struct emperor *e = data;
    char how[96];

    e->trial = NULL;
    if (end->ok && !e->court.closing)
        become_new(e);
    if (end->ok)
        return;
    log_error("upgrade: %s --check %s, this program goes on", e->start->self,
              proc_describe_end(&end->info, how, sizeof(how)));
    say_kept(e, "its configuration is refused");
}

/* The program that is there now has to understand the configuration before it is trusted. */
static void on_usr2(struct emperor *e)
{
    _cleanup_(strv_done) struct liege_list argv = {0};

    if (e->court.closing || e->trial) {
        log_info("upgrade: not now, the Emperor %s", e->trial ? "is at it" : "stops");
        return;
    }
    int r = strv_append(&argv, e->start->self);
    if (r == 0)
        r = strv_copy(&argv, (const char *const *)e->start->argv + 1);
    if (r == 0)
        r = strv_append(&argv, "--check");
    const struct job_start start = {
        .loop = e->loop,
        .by_pid = &e->court.realm.by_pid,
        .argv = (const char *const *)argv.items,
        .environ = (const char *const *)environ,
        .limit_us = TRIAL_US,
        .fn = on_trial_end,
        .data = e,
    };
    if (r == 0)
        r = job_new(&start, &e->trial);
    if (r < 0) {
        (void)log_errno(LOG_ERR, r, "upgrade: cannot try %s, this program goes on", e->start->self);
        say_kept(e, "the new program cannot be tried");
    }
}

static const struct {
    int sig;
    void (*fn)(struct emperor *e);
} signal_rules[] = {
    {SIGHUP, on_hup},   {SIGUSR1, on_usr1}, {SIGUSR2, on_usr2}, {SIGURG, on_urg},
    {SIGCHLD, on_chld}, {SIGINT, on_stop},  {SIGTERM, on_stop}, {SIGQUIT, on_stop},
};

/* The Emperor above. That this one is to load its configuration again means to begin anew with all
 * its vassals, as in an upgrade: those whose own configuration has not changed go on. */
static void on_order(enum emperor_byte byte, void *data)
{
    struct emperor *e = data;

    if (byte == EMPEROR_BYTE_RELOAD)
        on_usr2(e);
    else if (byte == EMPEROR_BYTE_STOP || byte == EMPEROR_BYTE_STOP_GRACEFULLY)
        on_stop(e);
}

static void on_lost(void *data)
{
    struct emperor *e = data;

    log_warning("the Emperor of this Emperor is gone");
    on_stop(e);
    court_kill(&e->court, "the Emperor of the Emperor is gone");
}

static const struct link_owner link_owner = {.on_byte = on_order, .on_lost = on_lost};

static int join_empire(struct emperor *e, struct errmsg *err)
{
    int r = link_open(&e->link, e->start->environ, err);

    if (r < 0)
        return r;
    r = link_listen(&e->link, e->loop, &link_owner, e);
    return r < 0 ? errmsg_set_errno(err, r, "cannot listen to the Emperor") : 0;
}

static void announce(struct emperor *e)
{
    link_status(&e->link, STATUS_READY, 1, "");
    link_send(&e->link, VASSAL_BYTE_READY);
    link_send(&e->link, VASSAL_BYTE_ACCEPTING);
    link_send(&e->link, VASSAL_BYTE_LOYAL);
}

static void on_signal(int sig, void *data)
{
    for (size_t i = 0; i < COUNT_OF(signal_rules); i++)
        if (signal_rules[i].sig == sig)
            signal_rules[i].fn(data);
}

static int set_signals(struct emperor *e)
{
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < COUNT_OF(signal_rules); i++)
        (void)sigaddset(&set, signal_rules[i].sig);
    proc_catch_sigpipe();
    return loop_set_signals(e->loop, &set, on_signal, e);
}

static int make_monitors(struct emperor *e, struct errmsg *err)
{
    const struct liege_list *sources = &e->conf->emperor;

    e->monitors = calloc(sources->n_items + 1, sizeof(struct monitor *));
    if (!e->monitors)
        return errmsg_set_errno(err, -ENOMEM, "emperor");
    for (size_t i = 0; i < sources->n_items; i++) {
        int r = monitor_new(sources->items[i], e->conf, e->loop, court_hear, &e->court,
                            &e->monitors[e->n_monitors], err);
        if (r < 0)
            return r;
        e->n_monitors++;
    }
    int r = monitor_given_new(e->conf, court_hear, &e->court, &e->court.given);
    if (r < 0)
        return errmsg_set_errno(err, r, "emperor");
    e->monitors[e->n_monitors++] = e->court.given;
    return 0;
}

static int start_monitors(struct emperor *e, struct errmsg *err)
{
    for (size_t i = 0; i < e->n_monitors; i++) {
        struct monitor *m = e->monitors[i];
        int r = m->ops->start(m);
        if (r < 0)
            return errmsg_set_errno(err, r, "cannot start the monitor %s", m->source);
    }
    return 0;
}

/* A vassal costs the Emperor four descriptors: it takes as many as it may have. Vassals start with
 * the limit that the Emperor was started with. */
static int raise_nofile(struct rlimit *ret_before)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    *ret_before = limit;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

/* Sockets and files that may need privileges; after an upgrade they are there. */
static int open_places(struct emperor *e, const struct cred *cred, struct errmsg *err)
{
    const struct sock_kept *kept = e->upgrade.sockets;
    int r = 0;

    if (e->conf->stats)
        r = stats_new(&e->court, e->conf->stats, cred, &kept[UPGRADE_STATS], &e->stats, err);
    if (r == 0 && e->conf->control)
        r = control_new(&e->court, e->conf->control, cred, &kept[UPGRADE_CONTROL], &e->control,
                        err);
    if (r < 0)
        return r;
    r = upgrade_goes_on(&e->upgrade)
            ? pidfile_keep(&e->pidfile, e->conf->pidfile)
            : pidfile_write(&e->pidfile, e->conf->pidfile, false, cred, err);
    if (r < 0)
        return errmsg_prefix(err, r, "emperor-pidfile");
    r = open_log(e);
    return r < 0 ? errmsg_set_errno(err, r, "cannot open the log") : 0;
}

/* Who became another user before an upgrade is that user. */
static int drop_privileges(const struct emperor *e, const struct cred *cred, struct errmsg *err)
{
    bool done = (!cred->set_uid || (getuid() == cred->uid && geteuid() == cred->uid)) &&
                (!cred->set_gid || (getgid() == cred->gid && getegid() == cred->gid));

    return upgrade_goes_on(&e->upgrade) && done ? 0 : cred_drop(cred, err);
}

/* Everything that needs privileges, then none of them. */
static int prepare(struct emperor *e, struct errmsg *err)
{
    struct cred cred = {0};
    int r = cred_parse(e->conf->uid, e->conf->gid, &cred, err);

    if (r == 0)
        r = upgrade_find(&e->upgrade, err);
    if (r == 0)
        r = upgrade_check(&e->upgrade, err);
    if (r == 0)
        r = open_places(e, &cred, err);
    if (r == 0)
        r = drop_privileges(e, &cred, err);
    if (r == 0)
        r = make_monitors(e, err);
    if (r == 0)
        r = join_empire(e, err);
    if (r < 0)
        return r;
    r = raise_nofile(&e->court.realm.nofile);
    if (upgrade_goes_on(&e->upgrade))
        e->court.realm.nofile = e->upgrade.nofile;
    if (r == 0)
        r = proc_become_subreaper();
    if (r == 0)
        r = set_signals(e);
    return r < 0 ? errmsg_set_errno(err, r, "cannot set up the process") : 0;
}

static void release(struct emperor *e)
{
    e->trial = job_free(e->trial);
    link_close(&e->link);
    e->control = control_free(e->control);
    memory_done(&e->memory);
    court_done(&e->court);
    for (size_t i = 0; i < e->n_monitors; i++)
        e->monitors[i] = monitor_free(e->monitors[i]);
    free(e->monitors);
    e->stats = stats_server_free(e->stats);
    close_log(e);
    e->loop = loop_free(e->loop);
}

int emperor_check(const struct emperor_conf *conf, struct errmsg *err)
{
    struct addr addr;
    struct cred cred;
    int r = cred_parse(conf->uid, conf->gid, &cred, err);

    if (r == 0 && conf->stats) {
        r = addr_parse(conf->stats, &addr, err);
        if (r < 0)
            return errmsg_prefix(err, r, "emperor-stats");
    }
    if (r == 0 && conf->control)
        r = control_check_address(conf->control, &addr, err);
    if (r == 0)
        r = vassal_base_check(conf, err);
    for (size_t i = 0; r == 0 && i < conf->emperor.n_items; i++)
        r = monitor_check(conf->emperor.items[i], err);
    return r;
}

static int run_start_hooks(const struct emperor_conf *conf, struct errmsg *err)
{
    const struct liege_list *list = &conf->hooks_emperor_start;

    for (size_t i = 0; i < list->n_items; i++) {
        char shown[256];
        int r = hook_do(list->items[i], err);
        if (r < 0)
            return errmsg_prefix(err, r, "hook-emperor-start: %s",
                                 hook_show(list->items[i], shown, sizeof(shown)));
    }
    return 0;
}

/* What was there before an upgrade goes on; all else begins. */
static int start(struct emperor *e, struct errmsg *err)
{
    int hooks = upgrade_goes_on(&e->upgrade) ? 0 : run_start_hooks(e->conf, err);
    if (hooks < 0)
        return hooks;
    if (upgrade_goes_on(&e->upgrade))
        upgrade_restore(&e->upgrade, &e->court, e->monitors, e->n_monitors);
    int r = start_monitors(e, err);
    if (r < 0)
        return r;
    upgrade_done(&e->upgrade);
    court_reap_orphans(&e->court); /* who ended while there was no loop */
    service_watch(&e->service, e->loop);
    service_say(&e->service, "READY=1\nSTATUS=%zu vassals", e->court.vassals.n_live);
    announce(e);
    log_info("the Emperor is there, pid %d, %zu monitors, vassals run %s", (int)getpid(),
             e->conf->emperor.n_items, e->start->binary);
    return 0;
}

int emperor_run(const struct emperor_start *with, struct errmsg *err)
{
    struct emperor e = {
        .start = with, .conf = with->conf, .log = {.io = {.fd = -1}}, .link = LINK_NONE};
    int r = loop_new(&e.loop);

    if (r < 0)
        return errmsg_set_errno(err, r, "cannot make an event loop");
    service_open(&e.service, with->environ);
    court_init(&e.court, e.loop, with->conf, with->binary, with->environ);
    memory_init(&e.memory, &e.court);
    e.court.memory = &e.memory;
    e.court.realm.log = &e.log;
    e.court.on_empty = on_empty;
    r = prepare(&e, err);
    if (r == 0)
        r = start(&e, err);
    if (r < 0 && upgrade_goes_on(&e.upgrade)) {
        link_keep(&e.link, true);
        return r; /* all that is there is for the program of before */
    }
    if (r == 0) {
        r = loop_run(e.loop);
        if (r < 0)
            (void)errmsg_set_errno(err, r, "the event loop failed");
    }
    pidfile_done(&e.pidfile, false);
    service_close(&e.service);
    release(&e);
    return r;
}
