/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/list.h"
#include "instance/child.h"
#include "instance/keepers.h"
#include "instance/listen.h"
#include "instance/registry.h"
#include "instance/slot.h"
#include "instance/watchdog.h"
#include "instance/zygote.h"

/* All workers of one load of the configuration: the zygote that forks them, their slots, and the
 * sockets that they share with the generations before and after. */

enum generation_state {
    GENERATION_LOADING,  /* the zygote loads the application */
    GENERATION_STARTING, /* workers are being forked; not all have been ready yet */
    GENERATION_SERVING,
    GENERATION_FAILED,   /* could not start; it is to be thrown away */
    GENERATION_DRAINING, /* its workers finish */
    GENERATION_ENDED,    /* no process is left */
    GENERATION_STATE_COUNT,
};

struct generation;

/* What the master wants to hear. Called from within events: it queues, and acts later. */
struct generation_owner {
    void (*on_change)(struct generation *g); /* another state, or it accepts no more */
    void (*on_zygote)(struct generation *g); /* its zygote has loaded, or has ended */
    void (*on_loyal)(struct generation *g);
    void (*on_reload_request)(struct generation *g, int worker);
    /* A new one among the sources, and when it had changed last. */
    void (*on_source)(struct generation *g, const char *path, const struct timespec *mtime);
};

struct generation {
    uint32_t number;
    enum generation_state state;
    struct loop *loop;
    const struct generation_owner *owner;
    void *owner_data;
    struct list link; /* in the master's list */

    struct registry *registry;  /* its own */
    struct listeners listeners; /* its share */
    const char *name;           /* of the instance */
    const struct queue *queue;
    struct logger *logger;
    struct scoreboard board;
    pid_t master;
    const struct warm *warm;
    bool lazy; /* each worker loads for itself: there is no zygote to fork them */

    struct zygote *zygote; /* never NULL */
    struct zygote *heir;   /* which takes its place as soon as it has loaded; or NULL */
    struct watchdog watchdog;
    struct list slots;      /* one for each worker that is wanted, and those that leave */
    size_t n_slots;         /* of the first kind */
    struct loop_task sweep; /* of those that have left */
    struct keepers keepers;
    size_t n_ready;
    bool renewing; /* workers are being replaced */
    bool reforked; /* a worker has been the model, or has been asked to */

    struct liege_list sources; /* files whose change makes a reload (auto-reload) */
    char cause[1024];          /* why it failed, as the process that failed said it */
};

/* A pointer @s to each slot of @g in turn, which the loop may take out of the list. */
#define FOR_EACH_SLOT(s, g)                                                                        \
    LIST_FOREACH (s##_item, &(g)->slots)                                                           \
        for (struct slot *s = container_of(s##_item, struct slot, link), *s##_once = s; s##_once;  \
             s##_once = NULL)

/* What a generation is made of. */
struct generation_start {
    struct loop *loop;
    const struct queue *queue; /* of the instance, */
    struct logger *logger;     /* and so is this */
    const struct warm *warm;   /* what the master has from a base vassal; or NULL */
    size_t n_workers;
    uint32_t number;
    const struct generation_owner *owner;
    void *owner_data;
};

/* Makes a generation of @registry, which it takes over, and takes its share of @listeners. */
int generation_new(const struct generation_start *start, struct registry *registry,
                   const struct listeners *listeners, struct generation **ret) _must_check_;

/* Kills what is left of it. */
struct generation *generation_free(struct generation *g);

const char *generation_state_name(enum generation_state state);

/* Begins: with the zygote, or with lazy-apps with the workers. */
void generation_start(struct generation *g);

/* From now on @n workers are wanted, which may be none: others are started, or the last ones are
 * told to finish and leave what they have to those that stay. Returns 0, or a negative errno when
 * some could not be added. */
int generation_resize(struct generation *g, size_t n) _must_check_;

/* Replaces all workers by what the application is now, a few at a time: the next one is ready
 * before the one before it ends. The zygote first; if the application cannot be loaded, nothing
 * changes, and the log says why. Settings stay as they are. The generation must serve. Returns 0 or
 * a negative errno. */
int generation_renew(struct generation *g) _must_check_;

/* No workers any more, and no zygote: they finish, and leave what they have to whoever comes next.
 */
void generation_sleep(struct generation *g);

/* No workers any more, but the zygote stays; nobody comes next: what is waiting is answered, and
 * idle connections are closed. generation_resize() starts workers again. */
void generation_rest(struct generation *g);

/* True if no worker has a request or is on its way to be one or to its end; *@ret_since_us is then
 * when the last request was over. */
bool generation_is_quiet(const struct generation *g, uint64_t *ret_since_us);

/* True if a worker that serves has given a sign of life since then (heartbeat). */
bool generation_has_pulse(const struct generation *g, uint64_t since_us);

/* True if it has no process of a worker. */
bool generation_is_deserted(const struct generation *g);

/* Has all workers that serve, or finish, say in the log where their threads are. */
void generation_show_stacks(const struct generation *g);

/* Tells all workers to finish; those that are not ready end at once. Gives up the sockets. */
void generation_drain(struct generation *g, enum family_drain how);

/* Ends all its processes now. */
void generation_stop(struct generation *g);

/* How many of the workers that are wanted serve, and how many of those could take a request now. */
void generation_count(const struct generation *g, unsigned *ret_n_ready, unsigned *ret_n_idle);

/* How many requests wait for a worker, and how many connections do: of UNIX sockets the kernel does
 * not say it. */
unsigned generation_count_waiting(const struct generation *g);

/* The slot of the process @pid, or NULL. */
struct slot *generation_slot_of(const struct generation *g, pid_t pid);

/* True while a worker of it may still take new connections. */
bool generation_accepts(const struct generation *g);

/* For slots and the zygote */

struct loop *generation_loop(const struct generation *g);
uint32_t generation_number(const struct generation *g);
uint64_t generation_start_timeout_us(const struct generation *g);
uint64_t generation_mercy_us(const struct generation *g);

/* Has worker @id forked; @fd is its end of the channel, @output_fd where it prints (-1: as we do).
 * Sets
 * *@ret if the process is known at once (lazy-apps). Returns 0 or a negative errno. */
int generation_fork(struct generation *g, int id, int fd, int output_fd,
                    struct proc *ret) _must_check_;

/* Where a process of it is to print: a descriptor, which is the caller's then, or -1: where we do.
 */
int generation_capture(const struct generation *g, const char *name);

/* What crosses the fork to a zygote (@worker_id 0) or a worker. */
struct child_start generation_child_start(const struct generation *g, int worker_id, int channel_fd,
                                          int output_fd);

/* A sentence for the operator on why a start fails; the first one stays. */
void generation_set_cause(struct generation *g, const char *text);

/* What worker @id says before it ends because it cannot start. */
void generation_on_worker_complaint(struct generation *g, int id, const char *text);

/* Process @pid is the keeper of a worker. Returns 0 or a negative errno. */
int generation_on_keeper(struct generation *g, pid_t pid) _must_check_;

void generation_on_worker_ready(struct generation *g, int id);

/* Returns false if the generation is given up: it has never served, and so never will. */
bool generation_on_worker_failed(struct generation *g, int id, const char *reason);
void generation_on_worker_ended(struct generation *g);
void generation_on_worker_closed(struct generation *g);

/* The worker in @s is about to go: another one is started in its place, and when that one serves,
 * it is told to finish. */
void generation_on_worker_leaves(struct generation *g, struct slot *s);

/* Code was loaded from these files: lines as in FAMILY_SOURCES. */
void generation_on_sources(struct generation *g, const char *lines);

/* The worker in @s has answered refork-after requests: the first one is the model of those that
 * follow. */
void generation_on_worker_warm(struct generation *g, const struct slot *s);

/* A worker wants to be replaced (slot.retires): so it is, as soon as not too many are. */
void generation_on_worker_retires(struct generation *g);
void generation_on_loyal(struct generation *g);
void generation_on_reload_request(struct generation *g, int worker);

/* Another process for this number, in a slot of its own. Returns 0 or -ENOMEM. */
int generation_add_slot(struct generation *g, int id, struct slot **ret) _must_check_;

/* A slot no longer waits for a fork. */
void generation_on_forked(struct generation *g);

void generation_on_loaded(struct generation *g, const struct zygote *z);
void generation_on_fork_failed(struct generation *g, int id, const char *reason);

/* The zygote has not forked although it was asked to: it is killed, and replaced when it ends. */
void generation_on_fork_timeout(struct generation *g);
void generation_on_zygote_ended(struct generation *g, const struct zygote *z);

/* True if @pid is a process of this generation that is waited for. */
bool generation_has_pid(const struct generation *g, pid_t pid);
