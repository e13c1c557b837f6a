/* SPDX-License-Identifier: MIT */
/* The master's decisions: which generation serves, when to start the next, when to end.
 * Generations, signals and the Emperor only report; what they ask for is noted, and done by one
 * task at the end of the round (step), so that nothing is freed under the feet of whoever reported
 * it. */
#include "instance/master.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/title.h"
#include "instance/child.h"
#include "instance/master-private.h"
#include "instance/order.h"
#include "instance/procname.h"

/* End */

static void leave(struct master *m, int code)
{
    m->exit_code = code;
    loop_stop(m->loop, 0);
}

static void give_up(struct master *m)
{
    const char *why = m->current->cause;

    log_error("cannot start: %s", why);
    link_status(&m->link, STATUS_FAILED, m->current->number, why);
    leave(m, INSTANCE_EXIT_BOOT);
}

static void drain_all(struct master *m)
{
    const struct partner *p = &m->partner;
    bool succeeded = partner_exists(p) && p->serves && p->shares_queue;
    enum family_drain how = succeeded ? FAMILY_DRAIN_SUCCEEDED : FAMILY_DRAIN_LAST;

    generation_drain(m->current, how);
    LIST_FOREACH (item, &m->draining)
        generation_drain(container_of(item, struct generation, link), how);
}

static void stop_all(struct master *m)
{
    generation_stop(m->current);
    LIST_FOREACH (item, &m->draining)
        generation_stop(container_of(item, struct generation, link));
}

/* With a newer master the service goes on: that one is its main process from now on. */
static void tell_service_of_end(const struct master *m)
{
    const struct partner *p = &m->partner;

    if (partner_exists(p) && p->older)
        return; /* the main process is that one */
    if (partner_exists(p) && p->serves)
        service_say(&m->service, "MAINPID=%d\nSTATUS=the old master ends", (int)p->pid);
    else
        service_say(&m->service, "STOPPING=1\nSTATUS=%s",
                    m->stopping == STOP_NOW ? "stops" : "finishes its requests");
}

static void begin_stop(struct master *m)
{
    if (m->stopping == STOP_NO)
        log_info("%s", m->stop_wanted == STOP_NOW ? "stops" : "stops gracefully");
    m->stopping = m->stop_wanted;
    loop_timer_clear(m->loop, &m->delay);
    idle_stop(&m->idle);
    tell_service_of_end(m);
    reload_abandon(m);
    if (m->stopping == STOP_NOW)
        stop_all(m);
    else
        drain_all(m);
}

static void free_ended(struct master *m)
{
    LIST_FOREACH (item, &m->draining) {
        struct generation *g = container_of(item, struct generation, link);
        if (g->state == GENERATION_ENDED) {
            log_info("generation %u has ended", g->number);
            list_remove(item);
            generation_free(g);
        }
    }
}

/* Workers */

static bool is_base(const struct master *m)
{
    return fork_server_exists(&m->fork_server);
}

static void resize(struct master *m, struct generation *g, size_t n)
{
    int r = generation_resize(g, n);

    if (r < 0)
        (void)log_errno(LOG_ERR, r, "generation %u cannot have %zu workers", g->number, n);
    link_status(&m->link, STATUS_WORKERS, (uint32_t)g->n_ready, "");
}

/* True if we are in the foreground of a terminal. */
static bool has_terminal(void)
{
    _cleanup_close_ int fd = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

    return fd >= 0 && tcgetpgrp(fd) == getpgrp();
}

/* No worker is left, and none is wanted until the next reload. */
static void go_to_sleep(struct master *m)
{
    m->sleep_wanted = false;
    if (m->asleep && m->resting == REST_NO)
        return;
    if (is_base(m)) {
        log_info("SIGWINCH is ignored: a base vassal has no workers");
        return;
    }
    if (has_terminal()) {
        log_info(
            "SIGWINCH is ignored: there is a terminal, which sends it whenever its size changes");
        return;
    }
    log_info("the workers finish; SIGHUP starts others");
    m->asleep = true;
    m->resting = REST_NO;
    idle_stop(&m->idle);
    reload_abandon(m);
    generation_sleep(m->current);
}

static const struct generation *generation_that_serves(void *data)
{
    const struct master *m = data;

    return m->stopping == STOP_NO && !m->asleep && !m->next ? m->current : NULL;
}

static const struct generation *generation_to_fork(void *data)
{
    const struct master *m = data;
    bool forks = m->stopping == STOP_NO && m->has_served && m->current->zygote->loaded;

    return forks ? m->current : NULL;
}

/* @who wants it, and why. */
static void change_size(struct master *m, int by, const char *who, const char *why)
{
    if (is_base(m)) {
        log_info("%s is ignored: a base vassal has no workers", who);
        return;
    }
    uint64_t before = m->size.wanted, n = size_change(&m->size, by);

    log_info("%s: %llu worker%s %s wanted%s%s", who, (unsigned long long)n, n == 1 ? "" : "s",
             n == 1 ? "is" : "are", n == before ? ", and that is as far as it goes" : "", why);
    if (m->stopping == STOP_NO && !m->asleep)
        resize(m, m->current, n);
    if (m->next)
        resize(m, m->next, n);
}

/* Upgrade */

static void set_shared(struct master *m, bool shared)
{
    listeners_set_shared(&m->current->listeners, shared);
    if (m->next)
        listeners_set_shared(&m->next->listeners, shared);
}

static void begin_upgrade(struct master *m)
{
    const struct partner *p = &m->partner;

    m->upgrade_wanted = false;
    if (link_exists(&m->link)) {
        log_warning(
            "SIGUSR2 is ignored: this is a vassal, and what its Emperor starts is the program "
            "as it is then");
        return;
    }
    if (m->zerg_pools.n_items > 0) {
        log_warning("SIGUSR2 is ignored: a new master could not have the sockets of zerg-pool");
        return;
    }
    if (partner_exists(p)) {
        log_warning("SIGUSR2 is ignored: the %s master (pid %d) is there, too; end one of the two "
                    "first (SIGQUIT)",
                    p->older ? "old" : "new", (int)p->pid);
        return;
    }
    int r = partner_start(&m->partner, m->loop, m->start.program, &m->start.input,
                          &m->current->listeners, &m->queue);
    if (r < 0) {
        (void)log_errno(LOG_ERR, r, "cannot start a new master from %s", m->start.program);
        return;
    }
    set_shared(m, true);
    log_info("SIGUSR2: a new master (pid %d) is started from %s", (int)p->pid, m->start.program);
}

static void on_partner_serves(void *data)
{
    const struct master *m = data;

    if (link_exists(&m->link))
        log_info("the new master (pid %d) serves, too", (int)m->partner.pid);
    else
        log_info(
            "the new master (pid %d) serves beside this one: SIGQUIT ends the one or the other",
            (int)m->partner.pid);
}

static void on_partner_end(void *data, const struct partner *was, const char *how)
{
    struct master *m = data;
    struct errmsg err = {""};

    set_shared(m, false);
    if (was->older && master_open_controls(m, &err) < 0)
        log_warning("%s", err.text);
    for (size_t i = 0; i < COUNT_OF(m->pidfiles) && was->older; i++)
        if (pidfile_promote(&m->pidfiles[i], &err) < 0)
            log_warning("%s", err.text);
    if (was->older)
        reload_tell_service(m);
    if (was->older)
        log_info("the old master has ended");
    else if (was->serves)
        log_info("the new master %s: this one goes on", how);
    else
        log_error("the new master %s before it served: this one goes on", how);
    if (m->stopping == STOP_GRACEFULLY)
        drain_all(m); /* nobody follows any more */
}

static void on_scale(void *data, int by, const char *why)
{
    char text[128];

    (void)snprintf(text, sizeof(text), ", %s%d: %s", by > 0 ? "+" : "", by, why);
    change_size(data, by, "cheaper", text);
}

/* A time without workers that is wanted is no illness, nor is an end. */
static bool is_well(void *data, uint64_t since_us)
{
    const struct master *m = data;

    return m->asleep || m->stopping != STOP_NO || is_base(m) ||
           generation_has_pulse(m->current, since_us);
}

static void beat(void *data)
{
    struct master *m = data;

    link_send(&m->link, VASSAL_BYTE_HEARTBEAT);
}

static void call_for_help(void *data, const char *why)
{
    struct master *m = data;

    log_info("asks the Emperor for reinforcement: %s", why);
    link_send(&m->link, VASSAL_BYTE_SOS);
}

static void on_fetched(void *data)
{
    master_step_later(data);
}

static void on_patience(struct loop_timer *t)
{
    master_step_later(container_of(t, struct master, patience));
}

/* Looks at what has been reported and does what follows from it. */
static void step(struct master *m)
{
    free_ended(m);
    if (m->stop_wanted > m->stopping)
        begin_stop(m);
    if (m->stopping != STOP_NO) {
        if (m->current->state == GENERATION_ENDED && list_empty(&m->draining))
            leave(m, EXIT_SUCCESS);
        return;
    }
    if (m->next && m->next->state == GENERATION_SERVING) {
        reload_take_over(m);
        reload_announce_later(m);
    } else if (m->next && m->next->state == GENERATION_FAILED) {
        reload_keep_old(m, m->next->cause);
        reload_abandon(m);
    }
    if (!m->has_served && !m->announcing && m->current->state == GENERATION_SERVING)
        reload_announce_later(m);
    reload_announce_in_time(m);
    if (m->current->state == GENERATION_FAILED) {
        give_up(m);
        return;
    }
    /* The first generation has nothing to fall back on: what changes it waits until it serves. */
    if (!m->has_served || m->announcing)
        return;
    if (m->upgrade_wanted)
        begin_upgrade(m);
    if (m->sleep_wanted)
        go_to_sleep(m);
    rest_step(m);
    if (m->reload_wanted && m->fetch.state != FETCH_BUSY) {
        m->reload_wanted = false;
        reload_begin(m);
    } else if (m->fetch.state == FETCH_ENDED) {
        reload_go_on(m);
    }
    if (m->chain_wanted)
        reload_in_chain(m);
}

static const char *describe_state(const struct master *m)
{
    if (m->stopping != STOP_NO)
        return m->stopping == STOP_NOW ? "stopping" : "finishing";
    if (!m->has_served)
        return "starting";
    if (m->next || m->fetch.state != FETCH_IDLE)
        return "reloading";
    return m->asleep ? "no workers" : "";
}

static void on_step(struct loop_task *t)
{
    struct master *m = container_of(t, struct master, step);

    step(m);
    title_set_state(describe_state(m));
}

/* Orders */

static void want_stop(struct master *m, enum stop how)
{
    m->stop_wanted = MAX(m->stop_wanted, how);
    master_step_later(m);
}

static void on_delay(struct loop_timer *t)
{
    want_stop(container_of(t, struct master, delay), STOP_GRACEFULLY);
}

/* Whoever sends requests has yet to learn that we end, unless a newer master takes them: so we
 * serve on for drain-delay. Saying it again ends that. */
static void want_graceful_stop(struct master *m)
{
    uint64_t delay_us = m->current->registry->instance.drain_delay_us;
    bool succeeded = partner_exists(&m->partner) && m->partner.serves;

    if (delay_us == 0 || succeeded || !m->has_served || m->stop_wanted != STOP_NO ||
        loop_timer_is_set(&m->delay)) {
        want_stop(m, STOP_GRACEFULLY);
        return;
    }
    log_info("serves for another %g s (drain-delay), then stops gracefully",
             (double)delay_us / US_PER_SEC);
    service_say(&m->service, "STOPPING=1\nSTATUS=serves until drain-delay is over");
    loop_timer_set(m->loop, &m->delay, loop_now_us(m->loop) + delay_us);
}

/* With graceful-on-term; who says it twice is in a hurry. */
static bool term_is_graceful(const struct master *m)
{
    return m->current->registry->instance.graceful_on_term && m->stop_wanted == STOP_NO &&
           !loop_timer_is_set(&m->delay);
}

static bool is_ours(pid_t pid, void *data)
{
    const struct master *m = data;

    if (m->partner.child.proc.pid == pid || hooks_have_pid(&m->hooks, pid) ||
        m->fetch.child.proc.pid == pid)
        return true;
    if (generation_has_pid(m->current, pid) || (m->next && generation_has_pid(m->next, pid)))
        return true;
    LIST_FOREACH (item, &m->draining)
        if (generation_has_pid(container_of(item, struct generation, link), pid))
            return true;
    return false;
}

/* Ours are seen by their pidfds; while one of them stands in the way of strangers, the next round
 * looks again. */
static void on_reap(struct loop_task *t)
{
    struct master *m = container_of(t, struct master, reap);

    if (loop_reap_strangers(is_ours, m))
        loop_task_queue(m->loop, t);
}

static void show_stacks(const struct master *m)
{
    log_info("the workers say where they are");
    generation_show_stacks(m->current);
    LIST_FOREACH (item, &m->draining)
        generation_show_stacks(container_of(item, struct generation, link));
}

static void obey(struct master *m, enum order order)
{
    switch (order) {
    case ORDER_RELOAD:
        m->reload_wanted = true;
        master_step_later(m);
        break;
    case ORDER_CHAIN_RELOAD:
        if (is_base(m)) /* a chain of none */
            m->reload_wanted = true;
        else
            m->chain_wanted = true;
        master_step_later(m);
        break;
    case ORDER_STOP:
        want_stop(m, STOP_NOW);
        break;
    case ORDER_STOP_GRACEFULLY:
        want_graceful_stop(m);
        break;
    case ORDER_STOP_BY_TERM:
        if (term_is_graceful(m))
            want_graceful_stop(m);
        else
            want_stop(m, STOP_NOW);
        break;
    case ORDER_ADD_WORKER:
        change_size(m, 1, "SIGTTIN", "");
        break;
    case ORDER_REMOVE_WORKER:
        change_size(m, -1, "SIGTTOU", "");
        break;
    case ORDER_SLEEP:
        m->sleep_wanted = true;
        master_step_later(m);
        break;
    case ORDER_UPGRADE:
        m->upgrade_wanted = true;
        master_step_later(m);
        break;
    case ORDER_REOPEN_LOGS:
        if (logger_exists(&m->logger))
            logger_reopen(&m->logger);
        else
            log_info("SIGUSR1: there is no log of our own to open anew (logto, logger)");
        break;
    case ORDER_SHOW_STACKS:
        show_stacks(m);
        break;
    case ORDER_REINFORCE:
        if (link_exists(&m->link))
            call_for_help(m, "it was told to");
        else
            log_info("master-fifo: there is no Emperor to ask for reinforcement");
        break;
    case ORDER_REAP:
        loop_task_queue(m->loop, &m->reap);
        break;
    default:
        break;
    }
}

void master_on_signal(int sig, void *data)
{
    obey(data, order_of_signal(sig));
}

void master_on_letter(void *data, char letter)
{
    enum order order = order_of_letter(letter);

    if (order == ORDER_NONE)
        log_warning("master-fifo: '%c' means nothing here",
                    letter > ' ' && letter < 0x7f ? letter : '?');
    obey(data, order);
}

static void on_touch(void *data, const char *path)
{
    log_info("reload: %s was touched", path);
    obey(data, ORDER_RELOAD);
}

void master_on_change_of_source(void *data, const char *path)
{
    log_info("reload: %s has changed", path);
    obey(data, ORDER_RELOAD);
}

static void on_touch_chain(void *data, const char *path)
{
    log_info("chain reload: %s was touched", path);
    obey(data, ORDER_CHAIN_RELOAD);
}

static const struct instance_conf *find_conf(void *data)
{
    const struct master *m = data;

    return &m->current->registry->instance;
}

static void obey_after_hooks(void *data, enum order order)
{
    obey(data, order);
}

/* Another master serves in our place. */
static bool is_succeeded(const struct master *m)
{
    return partner_exists(&m->partner) && !m->partner.older && m->partner.serves;
}

static void on_emperor_byte(enum emperor_byte byte, void *data)
{
    struct master *m = data;
    enum order order = order_of_byte(byte);

    switch (order) {
    case ORDER_RELOAD:
        hooks_on(&m->hooks, m->loop, HOOK_EMPEROR_RELOAD);
        break;
    case ORDER_STOP_GRACEFULLY:
        if (is_succeeded(m)) { /* the vassal goes on */
            obey(m, order);
            break;
        }
        hooks_on(&m->hooks, m->loop, HOOK_EMPEROR_STOP_GRACEFULLY);
        break;
    case ORDER_STOP:
        hooks_on(&m->hooks, m->loop, HOOK_EMPEROR_STOP);
        break;
    case ORDER_NONE:
        log_warning("the Emperor says %d, which means nothing", (int)byte);
        break;
    default:
        obey(data, order);
    }
}

static void on_emperor_lost(void *data)
{
    struct master *m = data;

    log_warning("the Emperor is gone");
    hooks_on(&m->hooks, m->loop, HOOK_EMPEROR_LOST);
}

/* The Emperor has another one start in our place: a master that a newer base vassal has forked.
 * When that one serves, we are told to stop. */
static void on_give_way(int fd, void *data)
{
    struct master *m = data;

    if (m->stop_wanted != STOP_NO || !m->has_served || partner_exists(&m->partner) ||
        m->zerg_pools.n_items > 0) {
        log_warning("cannot give way to another master now");
        (void)close(fd); /* which ends the other one */
        return;
    }
    reload_abandon(m);
    int r = partner_give_way(&m->partner, m->loop, fd, &m->current->listeners, &m->queue);
    if (r < 0) {
        (void)log_errno(LOG_ERR, r, "cannot give way to another master");
        return;
    }
    set_shared(m, true);
    log_info("another master shall take the place of this one");
}

const struct link_owner master_link_owner = {
    .on_byte = on_emperor_byte,
    .on_give_way = on_give_way,
    .on_lost = on_emperor_lost,
};

static void tear_down(struct master *m)
{
    fetch_cancel(&m->fetch);
    scaler_stop(&m->scaler);
    idle_stop(&m->idle);
    sos_stop(&m->sos);
    heartbeat_stop(&m->heartbeat);
    hooks_stop(&m->hooks);
    m->stats = stats_server_free(m->stats);
    fork_server_close(&m->fork_server);
    zerg_server_close(&m->zerg_server);
    zerg_pools_close(&m->zerg_pools);
    fifo_close(&m->fifo, partner_exists(&m->partner));
    touch_done(&m->touch);
    touch_done(&m->touch_chain);
    touch_done(&m->touch_sources);
    m->next = generation_free(m->next);
    m->current = generation_free(m->current);
    LIST_FOREACH (item, &m->draining)
        (void)generation_free(container_of(item, struct generation, link));
    queue_close(&m->queue);
    for (size_t i = 0; i < COUNT_OF(m->pidfiles); i++)
        pidfile_done(&m->pidfiles[i], partner_exists(&m->partner) && !m->partner.older);
    partner_done(&m->partner);
    link_close(&m->link);
    logger_done(&m->logger);
    service_close(&m->service);
    m->loop = loop_free(m->loop);
}

int master_run(const struct master_start *start)
{
    struct master m = {
        .start = *start,
        .link = start->link,
        .exit_code = EXIT_FAILURE,
        .queue = {.give_fd = -EBADF, .take_fd = -EBADF, .board_fd = -EBADF},
        .patience.fn = on_patience,
        .delay.fn = on_delay,
        .rest_timer.fn = rest_on_timer,
    };
    struct errmsg err = {""};

    procname_set(start->registry, "master");
    title_set_state(describe_state(&m));
    list_init(&m.draining);
    logger_init(&m.logger);
    service_open(&m.service, start->input.environ);
    loop_task_init(&m.step, on_step);
    loop_task_init(&m.reap, on_reap);
    scaler_init(&m.scaler, generation_that_serves, on_scale, &m);
    hooks_init(&m.hooks, find_conf, obey_after_hooks, &m);
    heartbeat_init(&m.heartbeat, is_well, beat, &m);
    sos_init(&m.sos, generation_that_serves, call_for_help, &m);
    idle_init(&m.idle, rest_watched_generation, rest_on_idle, rest_on_bell, &m);
    m.fifo.io.fd = -1;
    fork_server_init(&m.fork_server, generation_to_fork, &m);
    zerg_server_init(&m.zerg_server);
    touch_init(&m.touch, on_touch, &m);
    touch_init(&m.touch_chain, on_touch_chain, &m);
    touch_init(&m.touch_sources, master_on_change_of_source, &m);
    fetch_init(&m.fetch, on_fetched, &m);
    partner_init(&m.partner, on_partner_serves, on_partner_end, &m);
    if (master_set_up(&m, &err) < 0) {
        log_error("cannot start: %s", err.text);
        link_status(&m.link, STATUS_FAILED, 0, err.text);
    } else {
        int r = loop_run(m.loop);
        if (r < 0)
            (void)log_errno(LOG_ERR, r, "the loop failed");
    }
    tear_down(&m);
    return m.exit_code;
}
