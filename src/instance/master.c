/* SPDX-License-Identifier: MIT */
/* The master's decisions: which generation serves, when to start the next, when to end.
 * Generations, signals and the Emperor only report; what they ask for is noted, and done by one
 * task at the end of the round (step), so that nothing is freed under the feet of whoever reported
 * it.
 *
 * A reload never endangers what serves: the configuration is read again, sockets that stay are
 * shared, a new generation is loaded beside the old one, and only when all its workers are ready is
 * the old one told to finish. Whatever fails on the way is logged, told to the Emperor, and
 * forgotten. */
#include "instance/master.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/cred.h"
#include "base/log.h"
#include "instance/check.h"
#include "instance/child.h"
#include "instance/generation.h"
#include "instance/order.h"
#include "instance/size.h"

/* How long the news of a reload waits for workers that are too busy to stop accepting. */
#define PATIENCE_US US_PER_SEC

enum stop {
    STOP_NO,
    STOP_GRACEFULLY,
    STOP_NOW,
};

struct master {
    struct master_start start;
    struct link link;
    struct loop *loop;
    struct queue queue; /* of connections that pass between workers */
    struct loop_task step;
    struct loop_task reap; /* strangers that have ended */
    struct tls_ticket_key ticket_key;

    struct generation *current; /* serves, or is the first and starts */
    struct generation *next;    /* is being started to take over */
    struct list draining;       /* those that finish */
    uint32_t n_generations;

    bool announcing;            /* the current generation serves, and it is not said yet */
    struct loop_timer patience; /* with those before it, then */
    bool has_served;
    bool loyal;
    bool reload_wanted;
    struct size size;
    bool sleep_wanted, asleep; /* no workers (SIGWINCH) */
    enum stop stop_wanted, stopping;
    int exit_code;
};

static void step_later(struct master *m)
{
    loop_task_queue(m->loop, &m->step);
}

/* What generations report */

static void on_change(struct generation *g)
{
    step_later(g->owner_data);
}

static void on_loyal(struct generation *g)
{
    struct master *m = g->owner_data;

    if (!m->loyal)
        link_send(&m->link, VASSAL_BYTE_LOYAL);
    m->loyal = true;
}

static void on_reload_request(struct generation *g, int worker)
{
    struct master *m = g->owner_data;

    log_info("reload: the application asked for it in worker %d", worker);
    m->reload_wanted = true;
    step_later(m);
}

static const struct generation_owner owner = {
    .on_change = on_change,
    .on_loyal = on_loyal,
    .on_reload_request = on_reload_request,
};

/* Makes a generation from @registry, which is taken over also when it fails, and starts it. */
static int start_generation(struct master *m, struct registry *registry, struct listeners *share,
                            struct generation **ret)
{
    uint64_t n_workers = size_configure(&m->size, registry->instance.processes);
    int r = generation_new(m->loop, registry, share, &m->queue, n_workers, ++m->n_generations,
                           &owner, m, ret);

    if (r < 0) {
        listeners_release(share);
        registry_free(registry);
        return r;
    }
    if (*registry->why_workers)
        log_info("%s", registry->why_workers);
    link_status(&m->link, STATUS_STATE, m->n_generations, "loading the application");
    generation_start(*ret);
    return 0;
}

/* Reload */

static void keep_old(struct master *m, const char *why)
{
    log_error("reload failed, %s: %s",
              m->asleep ? "there still are no workers" : "the old generation goes on serving", why);
    link_status(&m->link, STATUS_KEPT, m->current->number, why);
}

static void report_files(struct master *m, const struct registry *r)
{
    for (size_t i = 0; i < r->conf.files.n_items; i++)
        link_status(&m->link, STATUS_FILE, 0, r->conf.files.items[i]);
}

/* The next generation will not take over. Workers of it may serve already: they finish. */
static void abandon_next(struct master *m)
{
    struct generation *g = m->next;

    if (!g)
        return;
    m->next = NULL;
    list_append(&m->draining, &g->link);
    generation_drain(g, FAMILY_DRAIN_SUCCEEDED);
}

/* Reads the configuration as it is now and starts a generation of it. */
static void begin_reload(struct master *m)
{
    struct registry *registry = NULL;
    struct listeners share = {0};
    struct errmsg err = {""};

    abandon_next(m); /* it came too late */
    log_info("reload: generation %u is being started", m->n_generations + 1);
    int r = registry_load(m->start.argv, m->start.environ, m->start.warn, &registry, &err);
    if (r == 0)
        r = instance_check(registry, &err);
    if (r == 0)
        r = registry_check_reload(m->current->registry, registry, &err);
    if (r == 0)
        r = certificates_load(&share.certificates, &registry->instance.https_sockets,
                              &m->current->listeners.certificates, &m->ticket_key, &err);
    if (r == 0)
        r = listeners_open(&share, &registry->instance, &m->current->listeners, LISTEN_ALL, &err);
    if (r < 0) {
        listeners_release(&share);
        registry_free(registry);
        keep_old(m, err.text);
        return;
    }
    report_files(m, registry);
    r = start_generation(m, registry, &share, &m->next);
    if (r < 0)
        keep_old(m, strerror(-r));
}

/* The next generation serves: the one before finishes. */
static void take_over(struct master *m)
{
    struct generation *old = m->current;
    struct errmsg err = {""};

    m->current = m->next;
    m->next = NULL;
    m->asleep = false;
    list_append(&m->draining, &old->link);
    generation_drain(old, FAMILY_DRAIN_SUCCEEDED);
    if (listeners_adjust(&m->current->listeners, &m->current->registry->instance, &err) < 0)
        log_warning("reload: %s", err.text);
}

static void announce_later(struct master *m)
{
    m->announcing = true;
    loop_timer_set(m->loop, &m->patience, loop_now_us(m->loop) + PATIENCE_US);
}

static bool predecessors_accept(const struct master *m)
{
    LIST_FOREACH (item, &m->draining)
        if (generation_accepts(container_of(item, struct generation, link)))
            return true;
    return false;
}

/* Whoever hears that a generation serves shall find that no other one does. */
static void announce(struct master *m)
{
    const struct generation *g = m->current;

    m->announcing = false;
    loop_timer_clear(m->loop, &m->patience);

    log_info("generation %u serves with %zu worker%s", g->number, g->n_slots,
             g->n_slots == 1 ? "" : "s");
    link_status(&m->link, STATUS_READY, g->number, "");
    link_status(&m->link, STATUS_WORKERS, (uint32_t)g->n_ready, "");
    link_send(&m->link, VASSAL_BYTE_READY);
    link_send(&m->link, VASSAL_BYTE_ACCEPTING);
    m->has_served = true;
}

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

static void begin_stop(struct master *m)
{
    if (m->stopping == STOP_NO)
        log_info("%s", m->stop_wanted == STOP_NOW ? "stops" : "stops gracefully");
    m->stopping = m->stop_wanted;
    abandon_next(m);
    if (m->stopping == STOP_NOW) {
        generation_stop(m->current);
        LIST_FOREACH (item, &m->draining)
            generation_stop(container_of(item, struct generation, link));
    } else {
        generation_drain(m->current, FAMILY_DRAIN_LAST);
        LIST_FOREACH (item, &m->draining)
            generation_drain(container_of(item, struct generation, link), FAMILY_DRAIN_LAST);
    }
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
    if (m->asleep)
        return;
    if (has_terminal()) {
        log_info(
            "SIGWINCH is ignored: there is a terminal, which sends it whenever its size changes");
        return;
    }
    log_info("the workers finish; SIGHUP starts others");
    m->asleep = true;
    abandon_next(m);
    generation_sleep(m->current);
}

static void change_size(struct master *m, int by)
{
    uint64_t before = m->size.wanted, n = size_change(&m->size, by);

    log_info("%s: %llu worker%s %s wanted%s", by > 0 ? "SIGTTIN" : "SIGTTOU", (unsigned long long)n,
             n == 1 ? "" : "s", n == 1 ? "is" : "are",
             n == before ? ", and that is as far as it goes" : "");
    if (m->stopping == STOP_NO && !m->asleep)
        resize(m, m->current, n);
    if (m->next)
        resize(m, m->next, n);
}

static void on_patience(struct loop_timer *t)
{
    step_later(container_of(t, struct master, patience));
}

/* Looks at what has been reported and does what follows from it. */
static void on_step(struct loop_task *t)
{
    struct master *m = container_of(t, struct master, step);

    free_ended(m);
    if (m->stop_wanted > m->stopping)
        begin_stop(m);
    if (m->stopping != STOP_NO) {
        if (m->current->state == GENERATION_ENDED && list_empty(&m->draining))
            leave(m, EXIT_SUCCESS);
        return;
    }
    if (m->next && m->next->state == GENERATION_SERVING) {
        take_over(m);
        announce_later(m);
    } else if (m->next && m->next->state == GENERATION_FAILED) {
        keep_old(m, m->next->cause);
        abandon_next(m);
    }
    if (!m->has_served && !m->announcing && m->current->state == GENERATION_SERVING)
        announce_later(m);
    if (m->announcing && (!predecessors_accept(m) || !loop_timer_is_set(&m->patience)))
        announce(m);
    if (m->current->state == GENERATION_FAILED) {
        give_up(m);
        return;
    }
    /* The first generation has nothing to fall back on: what changes it waits until it serves. */
    if (!m->has_served || m->announcing)
        return;
    if (m->sleep_wanted)
        go_to_sleep(m);
    if (m->reload_wanted) {
        m->reload_wanted = false;
        begin_reload(m);
    }
}

/* Orders */

static void want_stop(struct master *m, enum stop how)
{
    m->stop_wanted = MAX(m->stop_wanted, how);
    step_later(m);
}

static bool is_ours(pid_t pid, void *data)
{
    const struct master *m = data;

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

static void obey(struct master *m, enum order order)
{
    switch (order) {
    case ORDER_RELOAD:
        m->reload_wanted = true;
        step_later(m);
        break;
    case ORDER_STOP:
        want_stop(m, STOP_NOW);
        break;
    case ORDER_STOP_GRACEFULLY:
        want_stop(m, STOP_GRACEFULLY);
        break;
    case ORDER_STOP_BY_TERM: /* whoever says it twice is in a hurry */
        want_stop(m, m->current->registry->instance.graceful_on_term && m->stop_wanted == STOP_NO
                         ? STOP_GRACEFULLY
                         : STOP_NOW);
        break;
    case ORDER_ADD_WORKER:
        change_size(m, 1);
        break;
    case ORDER_REMOVE_WORKER:
        change_size(m, -1);
        break;
    case ORDER_SLEEP:
        m->sleep_wanted = true;
        step_later(m);
        break;
    case ORDER_REAP:
        loop_task_queue(m->loop, &m->reap);
        break;
    default:
        break;
    }
}

static void on_signal(int sig, void *data)
{
    obey(data, order_of_signal(sig));
}

static void on_emperor_byte(enum emperor_byte byte, void *data)
{
    enum order order = order_of_byte(byte);

    if (order == ORDER_NONE)
        log_warning("the Emperor says %d, which means nothing", (int)byte);
    obey(data, order);
}

static void on_emperor_lost(void *data)
{
    log_warning("the Emperor is gone");
    want_stop(data, STOP_NOW);
}

/* Set-up */

/* Sockets and keys that need privileges, then the privileges go, then the other sockets. */
static int open_sockets(const struct master *m, struct listeners *ret, struct errmsg *err)
{
    const struct master_start *start = &m->start;
    const struct instance_conf *conf = &start->registry->instance;
    struct listeners first = {0};
    struct cred cred = {0};

    int r = cred_parse(conf->uid, conf->gid, &cred, err);
    if (r == 0)
        r = certificates_load(&first.certificates, &conf->https_sockets, NULL, &m->ticket_key, err);
    if (r == 0)
        r = listeners_open(&first, conf, NULL, LISTEN_PRIVILEGED, err);
    if (r == 0)
        r = cred_drop(&cred, err);
    /* The kernel forgets this wish when credentials change: it comes after them. */
    if (r == 0 && start->emperor != 0 && proc_die_with_parent(start->emperor) < 0)
        r = errmsg_set(err, -ESRCH, "the Emperor is gone");
    if (r == 0) {
        ret->certificates = TAKE(first.certificates, (struct certificates){0});
        r = listeners_open(ret, conf, &first, LISTEN_ALL, err);
    }
    listeners_release(&first);
    return r;
}

static int watch(struct master *m)
{
    sigset_t set;

    order_signals(&set);
    proc_catch_sigpipe();
    int r = loop_new(&m->loop);
    if (r == 0)
        r = loop_set_signals(m->loop, &set, on_signal, m);
    if (r == 0)
        r = link_listen(&m->link, m->loop, on_emperor_byte, on_emperor_lost, m);
    if (r == 0)
        r = queue_open(&m->queue);
    if (r == 0)
        r = proc_become_subreaper();
    return r;
}

static int set_up(struct master *m, struct errmsg *err)
{
    struct registry *registry = m->start.registry;
    struct listeners share = {0};

    report_files(m, registry);
    int r = tls_ticket_key_make(&m->ticket_key);
    if (r < 0)
        (void)errmsg_set_errno(err, r, "cannot make a secret");
    else
        r = open_sockets(m, &share, err);
    if (r == 0) {
        r = watch(m);
        if (r < 0)
            (void)errmsg_set_errno(err, r, "cannot set up the loop");
    }
    if (r < 0) {
        listeners_release(&share);
        registry_free(registry);
        return r;
    }
    if (share.n_items == 0)
        log_warning("no socket is configured: set http-socket or https-socket");
    r = start_generation(m, registry, &share, &m->current);
    return r < 0 ? errmsg_set_errno(err, r, "cannot start") : 0;
}

static void tear_down(struct master *m)
{
    m->next = generation_free(m->next);
    m->current = generation_free(m->current);
    LIST_FOREACH (item, &m->draining)
        (void)generation_free(container_of(item, struct generation, link));
    queue_close(&m->queue);
    link_close(&m->link);
    m->loop = loop_free(m->loop);
}

int master_run(const struct master_start *start)
{
    struct master m = {
        .start = *start,
        .link = start->link,
        .exit_code = EXIT_FAILURE,
        .queue = {.give_fd = -EBADF, .take_fd = -EBADF},
        .patience.fn = on_patience,
    };
    struct errmsg err = {""};

    list_init(&m.draining);
    loop_task_init(&m.step, on_step);
    loop_task_init(&m.reap, on_reap);
    if (set_up(&m, &err) < 0) {
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
