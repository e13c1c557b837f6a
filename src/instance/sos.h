/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "instance/instance-conf.h"
#include "loop/loop.h"

struct generation;

/* When a vassal asks its Emperor for reinforcement: when all its workers are busy (vassal-sos), or
 * when too much waits for them (vassal-sos-backlog). */

struct sos_conf {
    uint64_t interval_us; /* between two calls because all are busy; 0: none for that */
    unsigned backlog;     /* so much may wait; 0: whatever does */
    unsigned n_workers;   /* as many as there can be */
};

struct sos_sample {
    uint64_t now_us;
    unsigned n_ready;   /* workers that serve */
    unsigned n_idle;    /* of those: could take a request now */
    unsigned n_waiting; /* connections and requests */
};

/* What is remembered from sample to sample. All zero to begin with. */
struct sos_memory {
    unsigned n_busy;              /* samples in a row in which all were busy */
    uint64_t busy_us, backlog_us; /* the last call for the one and the other reason */
};

/* Whether to call now: NULL if not, else why, a phrase for the log. */
const char *sos_decide(struct sos_memory *m, const struct sos_conf *c, const struct sos_sample *x);

struct sos {
    struct loop *loop;
    struct loop_timer timer;
    struct sos_conf conf;
    struct sos_memory memory;
    const struct generation *(*generation)(void *data); /* that serves; NULL: none */
    void (*call)(void *data, const char *why);
    void *data;
};

void sos_init(struct sos *s, const struct generation *(*generation)(void *data),
              void (*call)(void *data, const char *why), void *data);

/* Looks from now on, if @conf wants it to. */
void sos_configure(struct sos *s, struct loop *loop, const struct instance_conf *conf);
void sos_stop(struct sos *s);
