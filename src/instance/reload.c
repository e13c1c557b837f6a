/* SPDX-License-Identifier: MIT */
/* From one generation to the next. A reload never endangers what serves: the configuration is read
 * again, sockets that stay are shared, a new generation is loaded beside the old one, and only when
 * all its workers are ready is the old one told to finish. Whatever fails on the way is logged,
 * told to the Emperor, and forgotten. When to do each of this is master.c's to decide. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "instance/daemon.h"
#include "instance/master-private.h"
#include "instance/procname.h"

/* How long the news of a reload waits for workers that are too busy to stop accepting. */
#define PATIENCE_US US_PER_SEC

/* What generations report */

static void on_change(struct generation *g)
{
    master_step_later(g->owner_data);
}

static void on_zygote(struct generation *g)
{
    const struct master *m = g->owner_data;

    if (g == m->current && m->has_served)
        fork_server_tell(&m->fork_server, &m->link);
}

/* Not before it is said that it serves, although it does: whoever hears this takes it for that. */
static void say_loyal(struct master *m)
{
    if (m->loyal && !m->loyal_said && m->has_served) {
        link_send(&m->link, VASSAL_BYTE_LOYAL);
        m->loyal_said = true;
    }
}

static void on_loyal(struct generation *g)
{
    struct master *m = g->owner_data;

    m->loyal = true;
    say_loyal(m);
}

static void on_reload_request(struct generation *g, int worker)
{
    struct master *m = g->owner_data;

    log_info("reload: the application asked for it in worker %d", worker);
    m->reload_wanted = true;
    master_step_later(m);
}

static void on_source(struct generation *g, const char *path, const struct timespec *mtime)
{
    struct master *m = g->owner_data;
    struct stat st = {0};

    if (g != m->current || !m->has_served || m->announcing)
        return; /* with all others, when it is said that it serves */
    int r = touch_add(&m->touch_sources, path);
    if (r < 0)
        (void)log_errno(LOG_WARNING, r, "%s cannot be watched", path);
    bool same = stat(path, &st) == 0 && st.st_mtim.tv_sec == mtime->tv_sec &&
                st.st_mtim.tv_nsec == mtime->tv_nsec;
    if (!same) /* before it was watched */
        master_on_change_of_source(m, path);
}

static const struct generation_owner owner = {
    .on_change = on_change,
    .on_zygote = on_zygote,
    .on_loyal = on_loyal,
    .on_reload_request = on_reload_request,
    .on_source = on_source,
};

/* Makes a generation from @registry, which is taken over also when it fails, and starts it. */
int reload_start_generation(struct master *m, struct registry *registry, struct listeners *share,
                            struct generation **ret)
{
    const struct instance_conf *c = &registry->instance;
    uint64_t n_workers = size_configure(&m->size, c->cheaper, c->cheaper_initial, c->processes);
    if (c->fork_server)
        n_workers = 0;
    const struct generation_start start = {
        .loop = m->loop,
        .queue = &m->queue,
        .logger = &m->logger,
        .warm = m->start.warm,
        .n_workers = n_workers,
        .number = ++m->n_generations,
        .owner = &owner,
        .owner_data = m,
    };
    int r = generation_new(&start, registry, share, ret);

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

void reload_keep_old(struct master *m, const char *why)
{
    log_error("reload failed, %s: %s",
              m->asleep ? "there still are no workers" : "the old generation goes on serving", why);
    link_status(&m->link, STATUS_KEPT, m->current->number, why);
    service_say(&m->service, "READY=1\nSTATUS=reload failed: %s", why);
}

void reload_tell_service(const struct master *m)
{
    const struct generation *g = m->current;

    if (m->partner.older)
        return;
    service_say(&m->service, "READY=1\nMAINPID=%d\nSTATUS=generation %u serves with %zu workers",
                (int)getpid(), g->number, g->n_slots);
}

void reload_report_files(const struct master *m, const struct registry *r)
{
    for (size_t i = 0; i < r->conf.files.n_items; i++)
        link_status(&m->link, STATUS_FILE, 0, r->conf.files.items[i]);
}

/* The next generation will not take over. Workers of it may serve already: they finish. */
void reload_abandon(struct master *m)
{
    struct generation *g = m->next;

    fetch_cancel(&m->fetch);
    if (!g)
        return;
    m->next = NULL;
    list_append(&m->draining, &g->link);
    generation_drain(g, FAMILY_DRAIN_SUCCEEDED);
}

/* Starts a generation of @registry, which is taken over. Returns 0, or a negative errno with @err.
 */
static int start_next(struct master *m, struct registry *registry, struct errmsg *err)
{
    struct listeners share = {0};
    int r = 0;

    if (registry_has_emperor(registry))
        r = errmsg_set(err, -EINVAL,
                       "it has become the configuration of an Emperor: stop and start it");
    else if (registry->conf.action != CONF_RUN)
        r = errmsg_set(err, -EINVAL, "the configuration now says to do something else and exit");
    if (r == 0)
        r = registry_check_reload(m->current->registry, registry, err);
    if (r == 0)
        r = certificates_load(&share.certificates, &registry->instance.https_sockets,
                              &m->current->listeners.certificates, &m->ticket_key, err);
    if (r == 0)
        r = listeners_open(&share, &registry->instance, &m->current->listeners, LISTEN_ALL, err);
    if (r < 0) {
        listeners_release(&share);
        registry_free(registry);
        return r;
    }
    reload_report_files(m, registry);
    r = reload_start_generation(m, registry, &share, &m->next);
    return r < 0 ? errmsg_set(err, r, "%s", strerror(-r)) : 0;
}

/* Reads the configuration with the texts that there are. What else would have to be waited for is
 * left to another process if @may_fetch. */
static int read_and_start(struct master *m, bool may_fetch, struct errmsg *err)
{
    struct registry_input input = m->start.input;
    struct registry *registry = NULL;

    input.is_reload = true;
    int r = registry_load(&input, &registry, err);

    if (r == 0)
        return start_next(m, registry, err);
    registry_free(registry);
    return may_fetch && m->start.input.sources->missing
               ? fetch_start(&m->fetch, m->loop, &input, err)
               : r;
}

void reload_begin(struct master *m)
{
    struct errmsg err = {""};

    reload_abandon(m); /* it came too late */
    log_info("reload: generation %u is being started", m->n_generations + 1);
    service_say(&m->service, "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reload",
                (unsigned long long)clock_now_us());
    source_cache_expire(m->start.input.sources);
    if (read_and_start(m, true, &err) < 0)
        reload_keep_old(m, err.text);
}

void reload_go_on(struct master *m)
{
    _cleanup_(source_cache_done) struct source_cache fetched = {.offline = true};
    struct source_cache *sources = m->start.input.sources;
    struct errmsg err = {""};

    int r = fetch_take(&m->fetch, &fetched, &err);
    if (r == 0) {
        source_cache_done(sources); /* what it had has come back */
        *sources = TAKE(fetched, (struct source_cache){0});
        r = read_and_start(m, false, &err);
        source_cache_expire(sources);
    }
    if (r < 0)
        reload_keep_old(m, err.text);
}

void reload_in_chain(struct master *m)
{
    m->chain_wanted = false;
    if (m->next || m->asleep || m->fetch.state != FETCH_IDLE) {
        log_info("chain reload: not needed, as %s",
                 m->asleep ? "there are no workers" : "a reload is under way");
        return;
    }
    log_info("chain reload: generation %u is renewed", m->current->number);
    int r = generation_renew(m->current);
    if (r < 0)
        (void)log_errno(LOG_ERR, r, "chain reload: the workers stay as they are");
}

/* The next generation serves: the one before finishes. */
void reload_take_over(struct master *m)
{
    struct generation *old = m->current;
    struct errmsg err = {""};

    m->current = m->next;
    m->next = NULL;
    m->asleep = false;
    m->resting = REST_NO;
    idle_stop(&m->idle); /* it may wait for a connection to the old one's sockets */
    procname_set(m->current->registry, "master");
    list_append(&m->draining, &old->link);
    generation_drain(old, FAMILY_DRAIN_SUCCEEDED);
    if (listeners_adjust(&m->current->listeners, &m->current->registry->instance, &err) < 0)
        log_warning("reload: %s", err.text);
}

void reload_announce_later(struct master *m)
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

static void watch_files(const struct master *m, struct touch *t, const struct liege_list *files,
                        const char *option)
{
    int r = touch_configure(t, m->loop, files);

    if (r < 0)
        (void)log_errno(LOG_WARNING, r, "%s: not all of these files can be watched", option);
}

/* A base serves its Emperor as soon as it listens. */
static void announce_base(struct master *m)
{
    if (!fork_server_exists(&m->fork_server))
        return;
    fork_server_tell(&m->fork_server, &m->link);
    m->loyal = true;
}

/* Whoever hears that a generation serves shall find that no other one does, and its settings in
 * force. */
static void announce(struct master *m)
{
    const struct generation *g = m->current;

    m->announcing = false;
    loop_timer_clear(m->loop, &m->patience);

    scaler_configure(&m->scaler, m->loop, &g->registry->instance);
    if (link_exists(&m->link)) {
        heartbeat_configure(&m->heartbeat, m->loop, g->registry->worker.heartbeat_us);
        sos_configure(&m->sos, m->loop, &g->registry->instance);
    }
    idle_configure(&m->idle, m->loop, g->registry->instance.idle_us);
    watch_files(m, &m->touch, &g->registry->instance.touch_reload, "touch-reload");
    watch_files(m, &m->touch_chain, &g->registry->instance.touch_chain_reload,
                "touch-chain-reload");
    watch_files(m, &m->touch_sources, &g->sources, "auto-reload");

    if (fork_server_exists(&m->fork_server))
        log_info("generation %u: vassals are forked at %s", g->number, m->fork_server.address);
    else
        log_info("generation %u serves with %zu worker%s", g->number, g->n_slots,
                 g->n_slots == 1 ? "" : "s");
    partner_say_serves(&m->partner); /* before anybody can tell it to stop because of this */
    link_status(&m->link, STATUS_READY, g->number, "");
    link_status(&m->link, STATUS_WORKERS, (uint32_t)g->n_ready, "");
    link_send(&m->link, VASSAL_BYTE_READY);
    link_send(&m->link, VASSAL_BYTE_ACCEPTING);
    if (m->start.ready_fd >= 0)
        daemon_ready(TAKE_FD(m->start.ready_fd));
    reload_tell_service(m);
    m->has_served = true;
    announce_base(m);
    say_loyal(m);
}

void reload_announce_in_time(struct master *m)
{
    if (m->announcing && (!predecessors_accept(m) || !loop_timer_is_set(&m->patience)))
        announce(m);
}
