/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/list.h"
#include "base/log.h"
#include "base/net.h"
#include "http/date.h"
#include "http/forwarded.h"
#include "ipc/channel.h"
#include "proto/facts.h"
#include "worker/access-log.h"
#include "worker/crew.h"
#include "worker/keeper.h"
#include "worker/promote.h"
#include "worker/pulse.h"
#include "worker/reshare.h"
#include "worker/retire.h"
#include "worker/scoreboard.h"
#include "worker/worker.h"

/* Inside the worker: shared by worker.c, accept.c, conn.c and respond.c. */

/* A listening socket, with what requests that come through it are told. */
struct acceptor {
    struct loop_io io;
    struct worker *worker;
    uint32_t id; /* struct worker_listener */
    const char *name;
    enum proto_id protocol;
    struct tls_context *tls; /* of an https-socket, else NULL */
    char server_name[256];
    char server_port[8];
};

struct worker {
    const struct worker_start *start;
    const struct worker_conf *conf;
    pid_t pid;
    struct loop *loop;
    struct channel channel;
    struct loop_io wake; /* eventfd: SIGTERM came */

    struct acceptor *acceptors;
    size_t n_acceptors;
    bool accepting;                 /* or resting: not yet told to stop */
    bool accept_paused;             /* because all threads are busy */
    struct loop_timer accept_timer; /* accepting rests, or pauses */
    uint64_t rest_logged_us;        /* when that was said last */

    struct crew crew;
    unsigned n_calls; /* of the application, in progress */
    bool copied;      /* this is no worker but a process that its application forked */

    struct keeper keeper;
    uint32_t n_conns;
    uint32_t n_open;   /* of them, those with a request */
    struct list conns; /* all but those in @ready */
    struct list ready; /* connections whose request waits for a call */
    size_t n_ready;
    uint64_t calm_us;      /* when a request had not had to wait, the last time */
    uint64_t long_call_us; /* when a call was over that had lost the lead, the last time */
    struct loop_task turn; /* of the first of them */
    struct loop_io queue_io;
    bool takes;                   /* what others gave; not any more when it drains */
    bool queue_listens;           /* epoll has been told */
    struct loop_timer queue_rest; /* taking rests: no descriptors are left */
    char *entry;                  /* of the queue, as it was taken */

    struct list spare_conns, spare_exchanges; /* to be used again */
    size_t n_spare_conns, n_spare_exchanges;
    struct proto_limits limits;
    struct forwarded_rules forwarded;
    struct net_list proxy_peers; /* who must begin with a PROXY header */
    struct access_log log;
    struct log_limit refusals;
    const char *spool_dir;

    _Atomic(bool) draining;  /* read by all threads */
    _Atomic(bool) closes;    /* answers say that their connection closes; read by all threads */
    uint64_t drain_idle_us;  /* how long connections may stay idle then; 0: nobody follows */
    struct loop_timer offer; /* idle connections again, for which the queue had no room */
    bool stopping;           /* as soon as no call is in progress */
    int exit_code;           /* then */
    uint64_t n_requests;     /* answered */
    struct retire retire;
    struct promotion promotion;
    struct pulse pulse;
    struct reshare reshare;
    bool reports_sources; /* auto-reload */
    bool loyal;           /* the master knows that a request was answered */
};

/* "Sun, 06 Nov 1994 08:49:37 GMT", until the thread's next call. For any thread: an application may
 * write its answer on one of its own. */
const char *worker_date(void);

static inline struct scoreboard_slot *worker_slot(const struct worker *w)
{
    return scoreboard_slot(w->start->board, w->start->id);
}

/* This process is no worker any more. */
void worker_forget(void);

/* A connection has ended: a draining worker without any is done. */
void worker_on_conn_end(struct worker *w);

/* Idle connections are given away again in a moment. */
void worker_offer_later(struct worker *w);

/* A connection has a request now, or (@change -1) has none any more. */
void worker_count_open(struct worker *w, int change);

/* The request of @c has been in the application for half the time that harakiri allows. */
void worker_on_slow(struct conn *c);

/* The request of @c has been in the application for longer than harakiri allows. */
void worker_on_stuck(struct conn *c);

/* A request has been answered. */
void worker_on_answer(struct worker *w);

void accept_prepare(struct worker *w);
int accept_start(struct worker *w) _must_check_;

/* All threads are busy: new connections are left to others for a while. After that they are taken
 * all the same, so that many slow clients, or an overload, do not wait unseen; unless other
 * instances share the sockets. */
void accept_pause(struct worker *w);
void accept_resume(struct worker *w);

/* Takes no new connections from now on; with @last those that wait are still taken first. */
void accept_stop(struct worker *w, bool last);
