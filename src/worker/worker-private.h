/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/list.h"
#include "base/log.h"
#include "http/date.h"
#include "ipc/channel.h"
#include "proto/h1.h"
#include "worker/access-log.h"
#include "worker/worker.h"

/* Inside the worker: shared by worker.c, accept.c, conn.c and respond.c. */

#define WORKER_SCRATCH_BYTES (64 * 1024)

/* A listening socket, with what requests that come through it are told. */
struct acceptor {
    struct loop_io io;
    struct worker *worker;
    const char *name;
    char server_name[256];
    char server_port[8];
};

struct worker {
    const struct worker_start *start;
    const struct worker_conf *conf;
    struct loop *loop;
    struct channel channel;
    struct loop_io wake; /* eventfd: SIGTERM came */

    struct acceptor *acceptors;
    size_t n_acceptors;
    bool accepting;                 /* or resting: not yet told to stop */
    struct loop_timer accept_timer; /* accepting rests: no descriptors are left */
    uint64_t rest_logged_us;        /* when that was said last */

    struct conn *calling; /* whose request the application has now */
    bool copied;          /* this is no worker but a process that its application forked */

    struct list conns;
    struct list spare_conns; /* closed ones, to be used again */
    size_t n_spare;
    struct h1_limits limits;
    struct http_date date;
    struct access_log log;
    struct log_limit refusals;
    const char *spool_dir;

    bool draining;
    uint64_t drain_idle_us; /* how long connections may stay idle then; 0: nobody follows */
    bool loyal;             /* the master knows that a request was answered */

    char scratch[WORKER_SCRATCH_BYTES]; /* what was just read; valid within one callback */
};

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
const char *worker_date(struct worker *w);

/* A connection has ended: a draining worker without any is done. */
void worker_on_conn_end(struct worker *w);

/* A request has been answered. */
void worker_on_answer(struct worker *w);

int accept_start(struct worker *w) _must_check_;

/* Takes no new connections from now on; with @last those that wait are still taken first. */
void accept_stop(struct worker *w, bool last);
