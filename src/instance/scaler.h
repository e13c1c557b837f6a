/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "instance/instance-conf.h"
#include "instance/scale.h"
#include "loop/loop.h"

struct generation;

/* Looks at the workers of a generation and at what waits for them, ten times a second (less often
 * when nothing is going on), and says when their number should change. */
struct scaler {
    struct loop *loop;
    struct loop_timer timer;
    bool on;
    struct scale_conf conf;
    struct scale scale;
    struct scale_sample sample; /* the last one */
    uint64_t backlog_us;        /* since when connections have waited; 0: none do */
    const struct generation *(*generation)(void *data); /* that serves; NULL: none */
    void (*on_change)(void *data, int by, const char *why);
    void *data;
};

void scaler_init(struct scaler *s, const struct generation *(*generation)(void *data),
                 void (*on_change)(void *data, int by, const char *why), void *data);

/* Begins, goes on with other settings, or ends: with @conf->cheaper 0. */
void scaler_configure(struct scaler *s, struct loop *loop, const struct instance_conf *conf);
void scaler_stop(struct scaler *s);
