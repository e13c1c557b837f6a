/* SPDX-License-Identifier: MIT */
/* The Emperor's document of statistics; the server of it is ipc/stats-server.c. Owned by emperor.c.
 */
#include "emperor/stats.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "emperor/memory.h"
#include "ipc/json.h"

/* How old memory may be that is shown: it costs up to a millisecond of CPU time for each process.
 */
#define MEMORY_AGE_US (30 * US_PER_SEC)

#define MANY 100 /* vassals: of more the document takes longer than a fork */

static void put_process(json_t *j, const struct vassal *v)
{
    bool ending = v->state == VASSAL_STOPPING || v->state == VASSAL_RESTARTING ||
                  v->state == VASSAL_RETIRING || v->state == VASSAL_LOST ||
                  v->state == VASSAL_HOLDING;
    bool serves =
        v->state == VASSAL_READY || v->state == VASSAL_OUTDATED || v->state == VASSAL_RELOADING;

    (void)json_object_set_new(j, "pid", json_integer(vassal_runs(v) ? v->proc.pid : -1));
    json_put_flag(j, "ready", serves);
    json_put_flag(j, "accepting", v->life.accepting);
    json_put_flag(j, "loyal", v->life.loyal);
    json_put_int(j, "first_run", (uint64_t)v->first_run);
    json_put_int(j, "last_run", (uint64_t)v->last_run);
    json_put_int(j, "last_ready", (uint64_t)v->last_ready);
    json_put_int(j, "last_accepting", (uint64_t)v->last_accepting);
    json_put_int(j, "last_loyal", (uint64_t)v->last_loyal);
    json_put_int(j, "last_heartbeat", (uint64_t)v->last_heartbeat);
    json_put_int(j, "respawns", v->n_reloads + v->n_respawns);
    json_put_int(j, "cursed", ending ? v->since_us / US_PER_SEC : 0);
}

static void put_attributes(json_t *j, const struct vassal *v)
{
    json_t *attrs = json_object();

    for (size_t i = 0; i < v->attributes.n_items; i++) {
        const char *text = v->attributes.items[i], *equals = strchr(text, '=');
        char *key = strndup(text, (size_t)(equals - text));
        if (key)
            json_put_text(attrs, key, equals + 1);
        free(key);
    }
    (void)json_object_set_new(j, "attrs", attrs);
}

/* Who forks it, and at which address it forks others. */
static void put_base(json_t *j, const struct vassal *v)
{
    bool adopted = v->life.adopted && vassal_runs(v);

    json_put_flag(j, "adopted", adopted);
    json_put_text(j, "base", adopted || v->state == VASSAL_WAITING ? v->life.base : "");
    json_put_int(j, "base_generation", adopted ? v->life.base_generation : 0);
    json_put_text(j, "fork_server", v->offers);
}

/* As it was when it was measured last. */
static void put_memory(json_t *j, const struct vassal *v)
{
    const struct court *c = container_of(v->realm, struct court, realm);
    const struct vassal_memory none = {.measured = 0};
    const struct vassal_memory *m = vassal_runs(v) ? &v->life.memory : &none;

    json_put_int(j, "pss", m->pss_bytes);
    json_put_int(j, "uss", m->uss_bytes);
    json_put_int(j, "saves", v->offers[0] ? memory_saved_by(c, v) : 0);
    json_put_int(j, "memory_measured", (uint64_t)m->measured); /* 0: never */
}

json_t *stats_of_vassal(const struct vassal *v)
{
    json_t *j = json_object();

    json_put_text(j, "id", v->id);
    put_process(j, v);
    json_put_int(j, "born", v->first_stamp_us / US_PER_SEC);
    json_put_int(j, "last_mod", v->stamp.mtime_ns / 1000 / US_PER_SEC);
    json_put_int(j, "zerg", v->zerg);
    json_put_text(j, "on_demand", v->demand ? v->demand->address : "");
    json_put_int(j, "suspended", 0);
    put_base(j, v);
    put_memory(j, v);
    json_put_int(j, "uid", v->uid);
    json_put_int(j, "gid", v->gid);
    json_put_text(j, "monitor", v->monitor->directory);
    put_attributes(j, v);

    json_put_text(j, "state", vassal_state_name(v->state));
    json_put_time(j, "since", v->since_us);
    json_put_text(j, "reason", v->reason);
    json_put_int(j, "generation", v->life.generation);
    json_put_int(j, "workers", v->life.workers);
    json_put_text(j, "exit", v->last_end);
    return j;
}

static json_t *blacklist_json(const struct vassal *v)
{
    json_t *j = json_object();

    json_put_text(j, "id", v->id);
    json_put_int(j, "throttle_level", v->delay_us / US_PER_MS);
    json_put_int(j, "attempt", v->n_early);
    json_put_int(j, "first_attempt", (uint64_t)v->first_early);
    json_put_int(j, "last_attempt", (uint64_t)v->last_early);
    return j;
}

static json_t *loop_json(const struct loop_pulse *p)
{
    static const char *const bounds[COUNT_OF(p->n_over)] = {"1000", "10000", "100000", "1000000"};
    json_t *j = json_object(), *over = json_object();

    for (size_t i = 0; i < COUNT_OF(bounds); i++)
        json_put_int(over, bounds[i], p->n_over[i]);
    json_put_int(j, "rounds", p->n_rounds);
    json_put_int(j, "longest_us", p->longest_us);
    (void)json_object_set_new(j, "over_us", over);
    return j;
}

static json_t *document(const void *data)
{
    const struct court *c = data;
    _cleanup_free_ char *cwd = getcwd(NULL, 0);
    const struct liege_list *sources = &c->realm.conf->emperor;
    json_t *j = json_object(), *emperor = json_array();
    json_t *vassals = json_array(), *blacklist = json_array();
    struct vassal *v = NULL;

    for (size_t i = 0; i < sources->n_items; i++)
        (void)json_array_append_new(emperor, json_text(sources->items[i]));
    for (size_t pos = 0; (v = hash_next(&c->vassals, &pos));) {
        (void)json_array_append_new(vassals, stats_of_vassal(v));
        if (v->delay_us > 0)
            (void)json_array_append_new(blacklist, blacklist_json(v));
    }
    json_put_text(j, "version", LIEGE_VERSION);
    json_put_int(j, "pid", (uint64_t)c->pid);
    json_put_int(j, "uid", getuid());
    json_put_int(j, "gid", getgid());
    json_put_text(j, "cwd", cwd ? cwd : "");
    json_put_int(j, "emperor_tyrant", 0);
    json_put_int(j, "throttle_level", c->realm.throttle.level_us / US_PER_SEC);
    (void)json_object_set_new(j, "loop", loop_json(&c->pulse));
    (void)json_object_set_new(j, "emperor", emperor);
    (void)json_object_set_new(j, "vassals", vassals);
    (void)json_object_set_new(j, "blacklist", blacklist);
    return j;
}

/* Memory is measured for the next time. */
static bool is_large(const void *data)
{
    const struct court *c = data;

    (void)memory_measure(c->memory, MEMORY_AGE_US);
    return c->vassals.n_live > MANY;
}

int stats_new(const struct court *c, const char *address, const struct cred *owner,
              const struct sock_kept *kept, struct stats_server **ret, struct errmsg *err)
{
    const struct stats_source source = {.document = document, .is_large = is_large, .data = c};

    return stats_server_new(c->realm.loop, "emperor-stats", address, owner, kept, &source, ret,
                            err);
}
