/* SPDX-License-Identifier: MIT */
/* All vassals: turns what a monitor says of a configuration into what happens to a vassal, gives
 * each vassal an id that is its own, and takes the records away when their lives are over. Used by
 * emperor.c; stats.c reads it. */
#include "emperor/court.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/log.h"
#include "base/strv.h"
#include "emperor/succession.h"
#include "emperor/vassal-base.h"
#include "emperor/vassal-demand.h"
#include "emperor/vassal-files.h"
#include "emperor/vassal-hook.h"
#include "emperor/vassal-process.h"

/* Frees the records of vassals that are gone: they could not be while their callbacks ran. What is
 * done after the end of the last one is waited for: it would end with the Emperor. */
static void bury(struct loop_task *t)
{
    struct court *c = container_of(t, struct court, bury);

    LIST_FOREACH (it, &c->gone) {
        list_remove(it);
        (void)vassal_free(container_of(it, struct vassal, departed));
    }
    if (c->closing && c->vassals.n_live == 0 && c->realm.n_last_hooks == 0)
        c->on_empty(c);
}

void court_dismiss(struct court *c, const struct vassal *lord, const char *why)
{
    struct vassal *v = NULL;

    for (size_t pos = 0; c->n_zergs > 0 && (v = hash_next(&c->vassals, &pos));)
        if (v->lord == lord) {
            v->lord = NULL;
            vassal_handle(v, VASSAL_REMOVED, "%s", why);
        }
}

static void on_gone(struct vassal_realm *realm, struct vassal *v)
{
    struct court *c = container_of(realm, struct court, realm);

    (void)hash_remove(&c->vassals, v->id);
    succession_lose(v);
    if (v->zerg > 0)
        c->n_zergs--;
    else
        court_dismiss(c, v, "whom it reinforces is gone");
    list_append(&c->gone, &v->departed);
    loop_task_queue(realm->loop, &c->bury);
}

/* A zombie whose pidfd has not been looked at hides the ones behind it: after each end the orphans
 * get another turn. */
static void on_end(struct vassal_realm *realm)
{
    struct court *c = container_of(realm, struct court, realm);

    court_reap_orphans(c);
    loop_task_queue(realm->loop, &c->bury); /* it may have been the last that was waited for */
}

static void reap(struct loop_task *t)
{
    struct court *c = container_of(t, struct court, reap);
    siginfo_t info = {0};

    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
        if (realm_awaits(&c->realm, info.si_pid))
            return; /* its pidfd says so too, and on_end() brings us back */
        if (waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG) < 0)
            return;
        log_debug("reaped process %d, an orphan", (int)info.si_pid);
        info = (siginfo_t){0};
    }
}

void court_reap_orphans(struct court *c)
{
    loop_task_queue(c->realm.loop, &c->reap);
}

int court_add_beside(struct court *c, struct vassal *v, const char *what, struct vassal **ret)
{
    struct monitor_item item = {
        .name = v->name, .path = v->path, .stamp = v->stamp, .program = v->program};
    struct vassal *made = NULL;
    char id[1024];
    int n = snprintf(id, sizeof(id), "%s:%s", v->id, what);

    for (unsigned i = 2; n > 0 && (size_t)n < sizeof(id) && hash_get(&c->vassals, id); i++)
        n = snprintf(id, sizeof(id), "%s:%s%u", v->id, what, i);
    if (n < 0 || (size_t)n >= sizeof(id))
        return -ENAMETOOLONG;
    int r = vassal_new(&c->realm, v->monitor, &item, id, &made);
    if (r < 0)
        return r;
    vassal_set_item(made, NULL);
    r = strv_join(&made->attributes, &v->attributes);
    if (r == 0)
        r = hash_put(&c->vassals, made->id, made);
    if (r < 0)
        (void)vassal_free(made);
    else
        *ret = made;
    return r;
}

/* Only who serves, and by a configuration that is there, has something to share. */
static bool may_be_reinforced(const struct vassal *v)
{
    bool serves =
        v->state == VASSAL_READY || v->state == VASSAL_OUTDATED || v->state == VASSAL_RELOADING;

    return serves && v->item && v->zerg == 0 && clock_now_us() >= v->sos_ignored_till;
}

static void on_sos(struct vassal_realm *realm, struct vassal *lord)
{
    struct court *c = container_of(realm, struct court, realm);
    struct vassal *v = NULL;

    if (c->closing || !may_be_reinforced(lord) || c->n_zergs >= realm->conf->broodlord)
        return;
    int r = court_add_beside(c, lord, "zerg", &v);
    if (r < 0) {
        (void)log_errno(LOG_ERR, r, "vassal %s: cannot be reinforced", lord->id);
        return;
    }
    c->n_zergs++;
    v->zerg = ++c->last_zerg;
    v->lord = lord;
    vassal_handle(v, VASSAL_ADDED, "%s calls for reinforcement", lord->id);
}

/* Those that a base would fork now, and has not, come to that, each when its turn has come. */
static void on_base(struct vassal_realm *realm)
{
    struct court *c = container_of(realm, struct court, realm);
    struct vassal *v = NULL;

    for (size_t pos = 0; (v = hash_next(&c->vassals, &pos));)
        vassal_base_catch_up(v);
}

static int on_outdated(struct vassal_realm *realm, struct vassal *v)
{
    return succession_begin(container_of(realm, struct court, realm), v);
}

void court_take_turn(struct vassal *v)
{
    bool waits = v->state == VASSAL_WAITING;
    char ignored[1];

    if (waits && vassal_hook_exists(v, VASSAL_HOOK_BEFORE) &&
        !vassal_base_holds(v, VASSAL_START, ignored, sizeof(ignored)))
        vassal_prepare(v);
    else
        vassal_handle(v, VASSAL_TURN, "%s", v->reason);
}

static void on_turn(struct turn *t)
{
    court_take_turn(container_of(t, struct vassal, turn));
}

static unsigned count_parallel(const struct emperor_conf *conf)
{
    struct cpu_limits cpus;

    if (conf->spawn_parallel > 0)
        return (unsigned)conf->spawn_parallel;
    cpu_limits_get("", &cpus);
    return 2 * cpus.n;
}

void court_init(struct court *c, struct loop *l, const struct emperor_conf *conf,
                const char *binary, const char *const *environ)
{
    *c = (struct court){
        .pid = getpid(),
        .realm = {.loop = l,
                  .conf = conf,
                  .binary = binary,
                  .environ = environ,
                  .on_sos = on_sos,
                  .on_base = on_base,
                  .on_outdated = on_outdated,
                  .on_end = on_end,
                  .on_gone = on_gone},
    };
    pace_init(&c->realm.pace, l, count_parallel(conf), on_turn);
    loop_measure(l, &c->pulse);
    list_init(&c->gone);
    list_init(&c->realm.awaiting);
    list_init(&c->realm.woken);
    list_init(&c->realm.roomy);
    loop_task_init(&c->realm.go_on, vassal_base_go_on);
    loop_task_init(&c->realm.give_room, vassal_base_give_room);
    loop_task_init(&c->bury, bury);
    loop_task_init(&c->reap, reap);
}

void court_done(struct court *c)
{
    struct vassal *v = NULL;

    loop_task_cancel(&c->bury);
    loop_task_cancel(&c->realm.go_on);
    loop_task_cancel(&c->reap);
    LIST_FOREACH (it, &c->gone)
        (void)vassal_free(container_of(it, struct vassal, departed));
    for (size_t pos = 0; (v = hash_next(&c->vassals, &pos));) {
        (void)hash_remove(&c->vassals, v->id);
        (void)vassal_free(v);
    }
    loop_task_cancel(&c->realm.give_room); /* of what was under way when they were freed */
    pace_done(&c->realm.pace);
    hash_done(&c->vassals);
    hash_done(&c->realm.by_address);
    hash_done(&c->realm.bases);
    hash_done(&c->realm.by_pid);
}

/* The vassal that @item means if it is still known from an earlier life, or NULL with the id that a
 * new one gets: its name, or its path if another monitor's vassal has that name. */
static struct vassal *find(struct court *c, const struct monitor *m,
                           const struct monitor_item *item, const char **ret_id)
{
    struct vassal *v = hash_get(&c->vassals, item->name);

    *ret_id = item->name;
    if (v && strcmp(v->path, item->path) != 0) {
        *ret_id = item->path;
        v = hash_get(&c->vassals, item->path);
        if (!v)
            log_warning("monitor %s: the name %s is taken, this vassal is called %s", m->source,
                        item->name, item->path);
    }
    return v;
}

/* Its configuration is to be loaded again. One that sleeps reads it when it is called, and one that
 * is still waiting when its turn comes: but whether it sleeps may have changed. */
static void renew(struct vassal *v, enum vassal_event event, const char *why)
{
    bool sleeps = v->state == VASSAL_ASLEEP;
    bool waits = sleeps || v->state == VASSAL_WAITING;

    if (v->zerg > 0 || v->elder)
        return; /* that is for the one that it belongs to to do */
    court_dismiss(container_of(v->realm, struct court, realm), v, why);
    if (v->state == VASSAL_STOPPING)
        return; /* it is not to be loaded any more */
    vassal_settle(v, waits ? VASSAL_ADDED : event, why);
    if (sleeps && v->state == VASSAL_ASLEEP)
        vassal_hook_run(v, VASSAL_HOOK_CHANGED);
}

/* Its configuration is there again while its process ends: that it is started afterwards does not
 * wait for its socket to be known. */
static void restart(struct vassal *v)
{
    vassal_handle(v, VASSAL_ADDED, "its configuration is back");
    vassal_settle(v, VASSAL_ADDED, "its configuration is back");
}

int court_take_in(struct court *c, struct vassal *v)
{
    int r = hash_put(&c->vassals, v->id, v);

    if (r < 0) {
        (void)vassal_free(v);
        return r;
    }
    c->n_zergs += v->zerg > 0; /* it will be dismissed, for no monitor tells of it */
    c->last_zerg = MAX(c->last_zerg, v->zerg);
    return 0;
}

/* The configuration of a vassal of before is there: did it change meanwhile? */
static void claim(struct vassal *v, struct monitor *m, struct monitor_item *item)
{
    bool same = stamp_same_version(&v->stamp, &item->stamp);
    bool unsettled = v->unsettled;

    v->restored = false;
    v->stray = false;
    v->unsettled = false;
    v->monitor = m;
    v->life.place = m->place;
    vassal_set_item(v, item);
    bool same_files = vassal_watch_files(v);
    if (v->state == VASSAL_STOPPING)
        restart(v);
    else if (unsettled && v->state == VASSAL_HELD)
        vassal_settle(v, VASSAL_RESUMED, "an operator wants it to be started");
    else if (vassal_base_is_given_up(v))
        renew(v, VASSAL_MOVED, "it has no base now");
    else if (!same || unsettled)
        renew(v, VASSAL_CHANGED, "its configuration changed");
    else if (!same_files)
        renew(v, VASSAL_RENEWED, "a file that its configuration includes changed");
    else
        vassal_base_catch_up(v);
}

/* The monitor has told of all that is there: what is left of before is gone. A stray may be what
 * another one has yet to tell. */
static void dismiss_unclaimed(struct court *c, const struct monitor *m)
{
    bool all = c->n_unsettled <= 1;
    struct vassal *v = NULL;

    c->n_unsettled -= c->n_unsettled > 0;
    for (size_t pos = 0; (v = hash_next(&c->vassals, &pos));)
        if (v->restored && (v->stray ? all : v->monitor == m)) {
            v->restored = false;
            vassal_handle(v, VASSAL_REMOVED, "its configuration is gone");
        }
}

static void on_added(struct court *c, struct monitor *m, struct monitor_item *item)
{
    const char *id = NULL;
    struct vassal *v = find(c, m, item, &id);
    int r = 0;

    if (v && v->restored) {
        claim(v, m, item);
        return;
    }
    if (v && (v->item || v->zerg > 0 || v->elder)) {
        log_error("monitor %s: %s is left out, it is a vassal of monitor %s already", m->source,
                  item->path, v->monitor->source);
        return;
    }
    if (v) {
        v->monitor = m;
        v->life.place = m->place;
        vassal_set_item(v, item);
        restart(v);
        return;
    }
    r = vassal_new(&c->realm, m, item, id, &v);
    if (r == 0)
        r = hash_put(&c->vassals, v->id, v);
    if (r < 0) {
        (void)log_errno(LOG_ERR, r, "vassal %s: is left out", id);
        (void)vassal_free(v);
        return;
    }
    vassal_settle(v, VASSAL_ADDED, "its configuration is there");
}

static void on_changed(struct vassal *v, struct monitor_item *item, enum monitor_event event)
{
    vassal_set_item(v, item);
    if (v->life.place != v->monitor->place)
        renew(v, VASSAL_MOVED, "the directory it runs in is another one now");
    else if (vassal_base_is_given_up(v))
        renew(v, VASSAL_MOVED, "it has no base now");
    else if (event == MONITOR_RENEWED)
        renew(v, VASSAL_RENEWED, "a file that its configuration includes changed");
    else
        renew(v, VASSAL_CHANGED, "its configuration changed");
    vassal_base_reconsider(v);
}

void court_hear(void *data, struct monitor *m, enum monitor_event event, struct monitor_item *item)
{
    struct court *c = data;

    if (!item) {
        assert(event == MONITOR_SETTLED);
        dismiss_unclaimed(c, m);
        return;
    }
    struct vassal *v = item->owner;
    if (event == MONITOR_REMOVED && v) {
        item->owner = NULL;
        vassal_set_item(v, NULL);
    }
    if (c->closing)
        return;
    if (event == MONITOR_ADDED)
        on_added(c, m, item);
    else if (v && event != MONITOR_REMOVED)
        on_changed(v, item, event);
    else if (v) {
        court_dismiss(c, v, "its configuration is gone");
        vassal_handle(v, VASSAL_REMOVED, "its configuration is gone");
    }
}

/* True if the event may begin or end a sleep, so that the vassal's socket has to be looked at. */
static bool needs_settling(const struct vassal *v, enum vassal_event event)
{
    bool rests = v->state == VASSAL_BACKOFF || v->state == VASSAL_RESTING;

    return (event == VASSAL_RESUMED && (rests || v->state == VASSAL_HELD)) ||
           (event == VASSAL_PARDONED && v->state == VASSAL_BACKOFF);
}

bool court_order(struct vassal *v, enum vassal_event event, const char *why)
{
    bool waits = v->state == VASSAL_ASLEEP || v->state == VASSAL_WAITING;
    bool harmless = event == VASSAL_PARDONED || (waits && event == VASSAL_CHANGED);

    if (vassal_step(v->state, event).action == VASSAL_IGNORE && !harmless)
        return false;
    if (event == VASSAL_HALTED)
        court_dismiss(container_of(v->realm, struct court, realm), v, why);
    if (event == VASSAL_CHANGED)
        renew(v, event, why);
    else if (needs_settling(v, event))
        vassal_settle(v, event, why);
    else
        vassal_handle(v, event, "%s", why);
    return true;
}

static void handle_all(struct court *c, enum vassal_event event, const char *why)
{
    struct vassal *v = NULL;

    for (size_t pos = 0; (v = hash_next(&c->vassals, &pos));)
        vassal_handle(v, event, "%s", why);
}

void court_reload(struct court *c, const char *why)
{
    struct vassal *v = NULL;

    for (size_t pos = 0; (v = hash_next(&c->vassals, &pos));)
        renew(v, VASSAL_RENEWED, why);
}

void court_pardon(struct court *c, const char *why)
{
    struct vassal *v = NULL;

    c->realm.throttle = (struct throttle){0};
    for (size_t pos = 0; (v = hash_next(&c->vassals, &pos));)
        (void)court_order(v, VASSAL_PARDONED, why);
}

void court_close(struct court *c, const char *why)
{
    c->closing = true;
    handle_all(c, VASSAL_REMOVED, why);
    loop_task_queue(c->realm.loop, &c->bury); /* there may be none */
}

void court_kill(struct court *c, const char *why)
{
    handle_all(c, VASSAL_CONDEMNED, why);
}

void court_log(const struct court *c)
{
    struct vassal *v = NULL;
    time_t now = time(NULL);

    for (size_t pos = 0; (v = hash_next(&c->vassals, &pos));)
        log_info("vassal %s: %s for %llu s, %s, pid %d", v->id, vassal_state_name(v->state),
                 (unsigned long long)now - v->since_us / US_PER_SEC, v->reason, (int)v->proc.pid);
}
