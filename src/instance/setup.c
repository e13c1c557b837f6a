/* SPDX-License-Identifier: MIT */
/* The beginning of a master: sockets and keys that need privileges, then the privileges go, then
 * the loop and the first generation. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/cred.h"
#include "base/log.h"
#include "instance/master-private.h"
#include "instance/order.h"
#include "instance/stats.h"
#include "instance/zerg.h"

/* Beside an older master the file has another name, which may be more than we may do: then its own
 * is written when the older one is gone. */
static int write_pidfile(struct pidfile *p, const char *path, bool second, const struct cred *owner,
                         struct errmsg *err)
{
    int r = pidfile_write(p, path, second, owner, err);

    if (r < 0)
        (void)errmsg_prefix(err, r, "pidfile");
    if (r == 0 || !second)
        return r;
    log_warning("%s", err->text);
    return 0;
}

/* Sockets, keys and files that need privileges, then the privileges go, then the others.
 * @inherited: sockets of the older master. */
static int open_sockets(struct master *m, const struct listeners *inherited, struct listeners *ret,
                        struct errmsg *err)
{
    const struct master_start *start = &m->start;
    const struct instance_conf *conf = &start->registry->instance;
    const bool second = partner_exists(&m->partner);
    struct listeners first = {0};
    struct cred cred = {0};

    int r = cred_parse(conf->uid, conf->gid, &cred, err);
    if (r == 0)
        r = certificates_load(&first.certificates, &conf->https_sockets, NULL, &m->ticket_key, err);
    if (r == 0)
        r = listeners_open(&first, conf, inherited, LISTEN_PRIVILEGED, err);
    if (r == 0)
        r = zerg_pools_open(&m->zerg_pools, conf, LISTEN_PRIVILEGED, err);
    if (r == 0 && conf->fork_server)
        r = start->warm
                ? errmsg_set(err, -EINVAL,
                             "fork-server: what was forked from a base cannot be one itself: "
                             "name it in the Emperor's vassal-fork-base")
                : fork_server_open(&m->fork_server, conf->fork_server, start->emperor, err);
    if (r == 0)
        r = logger_open(&m->logger, conf, false, &cred, err);
    if (r == 0)
        r = write_pidfile(&m->pidfiles[0], conf->pidfile, second, &cred, err);
    if (r == 0)
        r = cred_drop(&cred, err);
    /* The kernel forgets this wish when credentials change: it comes after them. */
    if (r == 0 && start->emperor != 0 && proc_die_with_parent(start->emperor) < 0)
        r = errmsg_set(err, -ESRCH, "the Emperor is gone");
    if (r == 0)
        r = logger_open(&m->logger, conf, true, &cred, err);
    if (r == 0)
        r = write_pidfile(&m->pidfiles[1], conf->pidfile2, second, &cred, err);
    if (r == 0) {
        ret->certificates = TAKE(first.certificates, (struct certificates){0});
        r = listeners_open(ret, conf, &first, LISTEN_ALL, err);
    }
    if (r == 0)
        r = zerg_pools_open(&m->zerg_pools, conf, LISTEN_ALL, err);
    listeners_release(&first);
    return r;
}

static bool has_given(const struct listeners *l)
{
    for (size_t i = 0; i < l->n_items; i++)
        if (l->items[i]->given)
            return true;
    return false;
}

/* All that there is of an older master, if there is one; then what was passed to us. */
static int inherit(struct master *m, struct listeners *ret, struct errmsg *err)
{
    int r = 0;

    if (m->start.older_fd >= 0) {
        r = partner_join(&m->partner, m->start.older_fd, ret, &m->queue, err);
        if (r == 0)
            log_info("starts beside the master %d", (int)m->partner.pid);
    }
    const bool have_some = has_given(ret);
    if (r == 0 && m->start.given_fd >= 0)
        r = listeners_give(ret, TAKE_FD(m->start.given_fd), STDIN_FILENO, err);
    return r < 0 ? r : zerg_attach(m->start.registry, have_some, ret, err);
}

static void log_given(const struct listeners *l)
{
    for (size_t i = 0; i < l->n_items; i++)
        if (l->items[i]->given)
            log_info("%s was passed: %s is spoken there", l->items[i]->text,
                     listeners_protocol(l, i));
}

static const struct listeners *find_listeners(void *data)
{
    const struct master *m = data;

    return &m->current->listeners;
}

int master_open_controls(struct master *m, struct errmsg *err)
{
    const struct instance_conf *conf = &m->current->registry->instance;
    const struct cred as_we_are = {.set_uid = false};
    int r = 0;

    if (partner_exists(&m->partner) && m->partner.older)
        return 0;
    if (conf->master_fifo)
        r = fifo_open(&m->fifo, m->loop, conf->master_fifo, master_on_letter, m, err);
    if (r == 0)
        r = fork_server_start(&m->fork_server, m->loop, err);
    if (r == 0 && conf->stats)
        r = stats_new(m, conf->stats, &as_we_are, &m->stats, err);
    if (r == 0 && conf->zerg_server)
        r = zerg_server_open(&m->zerg_server, m->loop, "zerg-server", conf->zerg_server,
                             find_listeners, m, err);
    if (r == 0)
        r = zerg_pools_serve(&m->zerg_pools, conf, m->loop, err);
    return r;
}

static int watch(struct master *m)
{
    sigset_t set;

    order_signals(&set);
    proc_catch_sigpipe();
    int r = loop_new(&m->loop);
    if (r == 0)
        r = logger_start(&m->logger, m->loop);
    if (r == 0)
        r = loop_set_signals(m->loop, &set, master_on_signal, m);
    if (r == 0)
        r = link_listen(&m->link, m->loop, &master_link_owner, m);
    if (r == 0 && !m->queue.board)
        r = queue_open(&m->queue);
    if (r == 0)
        r = partner_watch(&m->partner, m->loop);
    if (r == 0)
        service_watch(&m->service, m->loop);
    /* What a base's zygote forks is its Emperor's. */
    if (r == 0 && !fork_server_exists(&m->fork_server))
        r = proc_become_subreaper();
    return r;
}

/* Of a base vassal: names those of its settings that mean something to workers only. */
static void warn_of_unused(const struct registry *r)
{
    _cleanup_(buf_done) struct buf names = {0};
    const struct conf_table *table = NULL;

    for (size_t i = 0; i < r->conf.n_settings; i++) {
        const struct conf_setting *s = &r->conf.settings[i];
        const struct liege_option *o =
            s->placeholder ? NULL : conf_find_option(r->tables, r->n_tables, s->key, &table);
        bool of_workers = o && (table->object == &r->worker || table->object == &r->statics ||
                                strcmp(o->name, "processes") == 0);
        if (of_workers && buf_printf(&names, "%s%s", buf_len(&names) > 0 ? ", " : "", o->name) < 0)
            return;
    }
    if (buf_len(&names) > 0)
        log_warning("a base vassal has no workers, so what is set for them says nothing here: %.*s",
                    (int)buf_len(&names), buf_at(&names));
}

static void warn_of_nothing_to_serve(const struct master *m, const struct listeners *share)
{
    if (m->start.registry->instance.fork_server)
        warn_of_unused(m->start.registry);
    else if (share->n_items == 0 && m->zerg_pools.n_items == 0)
        log_warning("no socket is configured: set http-socket or https-socket");
}

int master_set_up(struct master *m, struct errmsg *err)
{
    struct registry *registry = m->start.registry;
    struct listeners share = {0}, inherited = {0};

    reload_report_files(m, registry);
    int r = tls_ticket_key_make(&m->ticket_key);
    if (r < 0)
        (void)errmsg_set_errno(err, r, "cannot make a secret");
    if (r == 0)
        r = inherit(m, &inherited, err);
    if (r == 0)
        r = open_sockets(m, &inherited, &share, err);
    listeners_release(&inherited);
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
    log_given(&share);
    warn_of_nothing_to_serve(m, &share);
    r = reload_start_generation(m, registry, &share, &m->current);
    if (r < 0)
        return errmsg_set_errno(err, r, "cannot start");
    return master_open_controls(m, err);
}
