/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/pidfile.h"
#include "instance/fetch.h"
#include "instance/fifo.h"
#include "instance/fork-server.h"
#include "instance/generation.h"
#include "instance/heartbeat.h"
#include "instance/hooks.h"
#include "instance/idle.h"
#include "instance/logger.h"
#include "instance/master.h"
#include "instance/partner.h"
#include "instance/scaler.h"
#include "instance/size.h"
#include "instance/sos.h"
#include "instance/touch.h"
#include "instance/zerg-pool.h"
#include "instance/zerg-server.h"
#include "ipc/stats-server.h"
#include "loop/service.h"

/* Inside the master: shared by master.c (decisions and orders), reload.c (from one generation to
 * the next) and setup.c (the beginning). */

enum stop {
    STOP_NO,
    STOP_GRACEFULLY,
    STOP_NOW,
};

/* What ends a time without workers that began with one without requests. */
enum rest {
    REST_NO,
    REST_UNTIL_ASKED,   /* a connection */
    REST_UNTIL_STOPPED, /* the Emperor, who is asked to when the last worker has ended */
    REST_STOP_ASKED,    /* and has been */
};

struct master {
    struct master_start start;
    struct link link;
    struct loop *loop;
    struct queue queue; /* of connections that pass between workers */
    struct loop_task step;
    struct loop_task reap; /* strangers that have ended */
    struct tls_ticket_key ticket_key;
    struct fetch fetch;         /* of what a reload has to wait for */
    struct partner partner;     /* another master of this instance, during an upgrade */
    struct pidfile pidfiles[2]; /* pidfile, pidfile2 */
    struct service service;     /* who manages us: systemd */
    struct logger logger;
    struct stats_server *stats; /* NULL: none */
    struct fifo fifo;
    struct fork_server fork_server;
    struct zerg_server zerg_server;
    struct zerg_pools zerg_pools;
    struct touch touch, touch_chain, touch_sources; /* touch-reload, touch-chain-reload, auto-reload
                                                     */

    struct generation *current; /* serves, or is the first and starts */
    struct generation *next;    /* is being started to take over */
    struct list draining;       /* those that finish */
    uint32_t n_generations;

    bool announcing;            /* the current generation serves, and it is not said yet */
    struct loop_timer patience; /* with those before it, then */
    bool has_served;
    bool loyal; /* has answered a request */
    bool loyal_said;
    bool reload_wanted, chain_wanted;
    struct size size;
    struct scaler scaler;      /* cheaper */
    bool sleep_wanted, asleep; /* no workers (SIGWINCH, or idle) */
    struct hooks hooks;
    struct heartbeat heartbeat;
    struct sos sos;
    struct idle idle;
    bool rest_wanted, wake_wanted;
    enum rest resting;            /* asleep because of idle */
    struct loop_timer rest_timer; /* the Emperor's answer is waited for until then */
    bool upgrade_wanted;          /* SIGUSR2 */
    struct loop_timer delay;      /* drain-delay: a graceful end is wanted then */
    enum stop stop_wanted, stopping;
    int exit_code;
};

/* What has been noted is acted upon at the end of the round. */
static inline void master_step_later(struct master *m)
{
    loop_task_queue(m->loop, &m->step);
}

/* setup.c: sockets, privileges, loop, and the first generation. Returns 0 or a negative errno with
 * @err. */
int master_set_up(struct master *m, struct errmsg *err) _must_check_;

/* Opens what others reach this master by, the FIFO, the statistics and the zerg server, unless they
 * are an older master's still. Returns 0 or a negative errno with @err. */
int master_open_controls(struct master *m, struct errmsg *err) _must_check_;

/* What the loop has to tell the master (master.c). */
void master_on_letter(void *data, char letter);
void master_on_signal(int sig, void *data);
extern const struct link_owner master_link_owner;
void master_on_change_of_source(void *data, const char *path);

/* rest.c: what is done about idle. */
void rest_on_idle(void *data);
void rest_on_bell(void *data);
void rest_on_timer(struct loop_timer *t);

/* The generation that may have nothing to do; NULL: more is going on. */
const struct generation *rest_watched_generation(void *data);

/* Goes on with what was reported: begins to rest, or ends it. */
void rest_step(struct master *m);

/* reload.c */

/* Makes a generation from @registry, which is taken over also when it fails, and starts it. */
int reload_start_generation(struct master *m, struct registry *registry, struct listeners *share,
                            struct generation **ret) _must_check_;

/* Reads the configuration as it is now and starts a generation of it. If that would mean to wait,
 * another process reads it, and reload_go_on() does the rest when it has. */
void reload_begin(struct master *m);
void reload_go_on(struct master *m);

/* Has the current generation renewed, unless another one is on its way. */
void reload_in_chain(struct master *m);

/* The next generation serves: the one before finishes. */
void reload_take_over(struct master *m);

/* The next generation will not take over. Workers of it may serve already: they finish. */
void reload_abandon(struct master *m);

/* Says that nothing has changed, and why. */
void reload_keep_old(struct master *m, const char *why);

/* Says that the current generation serves: as soon as no other one accepts any more, or after a
 * while. */
void reload_announce_later(struct master *m);
void reload_announce_in_time(struct master *m);

/* The service manager hears that the current generation serves, unless an older master is its
 * business. */
void reload_tell_service(const struct master *m);

/* Which files the configuration came from, for the Emperor. */
void reload_report_files(const struct master *m, const struct registry *r);
