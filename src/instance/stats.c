/* SPDX-License-Identifier: MIT */
/* What is shown is what is there: states and reasons are those that slots and generations carry,
 * counters those of the scoreboard and the queue, memory the kernel's. */
#include "instance/stats.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/meminfo.h"
#include "instance/master-private.h"
#include "ipc/json.h"

static json_t *sockets_json(const struct listeners *l, unsigned *ret_queue)
{
    json_t *list = json_array();

    *ret_queue = 0;
    for (size_t i = 0; i < l->n_items; i++) {
        json_t *j = json_object();
        unsigned max = 0, queue = listener_backlog(l->items[i], &max);
        *ret_queue += queue;
        json_put_text(j, "name", l->items[i]->text);
        json_put_text(j, "proto", listeners_protocol(l, i));
        json_put_int(j, "queue", queue);
        json_put_int(j, "max_queue", max);
        json_put_int(j, "shared", l->items[i]->shared);
        (void)json_array_append_new(list, j);
    }
    return list;
}

static void put_memory(json_t *j, pid_t pid)
{
    const struct meminfo m = meminfo_get(pid);
    const struct meminfo_shares s = meminfo_get_shares(pid);

    json_put_int(j, "rss", m.resident_bytes);
    json_put_int(j, "vsz", m.virtual_bytes);
    json_put_int(j, "pss", s.pss_bytes);
    json_put_int(j, "uss", s.uss_bytes);
}

static json_t *worker_json(const struct generation *g, const struct slot *s, uint64_t now_us)
{
    const struct scoreboard_slot *board = scoreboard_slot(&g->board, s->id);
    bool idle = atomic_load(&board->idle);
    json_t *j = json_object();

    json_put_int(j, "id", (uint64_t)s->id);
    json_put_int(j, "pid", (uint64_t)slot_pid(s));
    json_put_int(j, "accepting", s->accepting);
    json_put_int(j, "requests", atomic_load(&board->n_requests));
    json_put_text(j, "status",
                  s->state != SLOT_READY ? slot_state_name(s->state)
                  : idle                 ? "idle"
                                         : "busy");
    if (slot_pid(s) != 0)
        put_memory(j, slot_pid(s));
    json_put_text(j, "state", slot_state_name(s->state));
    json_put_time(j, "age", now_us - s->since_us); /* of the state */
    json_put_text(j, "reason", s->reason);
    json_put_int(j, "leaves", s->leaves);
    json_put_int(j, "generation", g->number);
    json_put_int(j, "connections", atomic_load(&board->n_conns));
    json_put_int(j, "given", atomic_load(&board->n_given));
    json_put_int(j, "taken", atomic_load(&board->n_taken));
    return j;
}

static void add_workers(json_t *list, const struct generation *g, uint64_t now_us)
{
    LIST_FOREACH (item, &g->slots)
        (void)json_array_append_new(list,
                                    worker_json(g, container_of(item, struct slot, link), now_us));
}

static json_t *workers_json(const struct master *m, uint64_t now_us)
{
    json_t *list = json_array();

    add_workers(list, m->current, now_us);
    if (m->next)
        add_workers(list, m->next, now_us);
    LIST_FOREACH (item, &m->draining)
        add_workers(list, container_of(item, struct generation, link), now_us);
    return list;
}

static json_t *generation_json(const struct generation *g)
{
    json_t *j = json_object();

    json_put_int(j, "number", g->number);
    json_put_text(j, "state", generation_state_name(g->state));
    json_put_int(j, "wanted", g->n_slots);
    json_put_int(j, "ready", g->n_ready);
    json_put_text(j, "cause", g->cause);
    if (zygote_exists(g->zygote)) {
        json_t *zygote = json_object();
        json_put_int(zygote, "pid", (uint64_t)g->zygote->child.proc.pid);
        json_put_flag(zygote, "loaded", g->zygote->loaded);
        put_memory(zygote, g->zygote->child.proc.pid);
        (void)json_object_set_new(j, "zygote", zygote);
    }
    return j;
}

static json_t *generations_json(const struct master *m)
{
    json_t *list = json_array();

    (void)json_array_append_new(list, generation_json(m->current));
    if (m->next)
        (void)json_array_append_new(list, generation_json(m->next));
    LIST_FOREACH (item, &m->draining)
        (void)json_array_append_new(list,
                                    generation_json(container_of(item, struct generation, link)));
    return list;
}

/* Between the workers: worker/queue.h. */
static json_t *queue_json(const struct queue_board *b, uint64_t now_us)
{
    json_t *j = json_object();
    int64_t depth = atomic_load(&b->depth), waiting = atomic_load(&b->n_waiting);
    uint64_t taken_us = atomic_load(&b->taken_us);

    json_put_int(j, "depth", (uint64_t)MAX(depth, (int64_t)0));
    json_put_int(j, "waiting", (uint64_t)MAX(waiting, (int64_t)0));
    json_put_time(j, "oldest", depth > 0 && taken_us < now_us ? now_us - taken_us : 0);
    json_put_int(j, "given", atomic_load(&b->n_given));
    json_put_int(j, "taken", atomic_load(&b->n_taken));
    json_put_int(j, "gone", atomic_load(&b->n_gone));
    json_put_int(j, "late", atomic_load(&b->n_late));
    json_put_int(j, "full", atomic_load(&b->n_full));
    return j;
}

/* What the number of workers was last decided on. */
static json_t *cheaper_json(const struct scaler *s)
{
    json_t *j = json_object();

    json_put_text(j, "algo", scale_algo_name(s->conf.algo));
    json_put_int(j, "min", s->conf.min);
    json_put_int(j, "max", s->conf.max);
    json_put_int(j, "idle", s->sample.n_idle);
    json_put_int(j, "waiting", s->sample.n_waiting);
    json_put_time(j, "wait", s->sample.wait_us);
    return j;
}

static json_t *document(const void *data)
{
    const struct master *m = data;
    const uint64_t now_us = clock_now_us();
    _cleanup_free_ char *cwd = getcwd(NULL, 0);
    unsigned queue = 0, n_ready = 0, n_idle = 0;
    json_t *j = json_object();

    json_put_text(j, "version", LIEGE_VERSION);
    json_put_int(j, "pid", (uint64_t)getpid());
    json_put_int(j, "uid", getuid());
    json_put_int(j, "gid", getgid());
    json_put_text(j, "cwd", cwd ? cwd : "");
    json_put_text(j, "name", m->current->name);
    json_t *sockets = sockets_json(&m->current->listeners, &queue);
    generation_count(m->current, &n_ready, &n_idle);
    json_put_int(j, "listen_queue", queue);
    json_put_int(j, "load", n_ready - n_idle);
    json_put_flag(j, "asleep", m->asleep);
    (void)json_object_set_new(j, "queue", queue_json(m->queue.board, now_us));
    if (m->scaler.on)
        (void)json_object_set_new(j, "cheaper", cheaper_json(&m->scaler));
    if (logger_exists(&m->logger))
        json_put_int(j, "log_lines_dropped", log_writer_dropped(m->logger.writer));
    (void)json_object_set_new(j, "sockets", sockets);
    (void)json_object_set_new(j, "generations", generations_json(m));
    (void)json_object_set_new(j, "workers", workers_json(m, now_us));
    return j;
}

int stats_new(const struct master *m, const char *address, const struct cred *owner,
              struct stats_server **ret, struct errmsg *err)
{
    const struct stats_source source = {.document = document, .data = m};

    return stats_server_new(m->loop, "stats", address, owner, NULL, &source, ret, err);
}
