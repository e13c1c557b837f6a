/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

/* Adaptive numbers of workers (cheaper): when to add some and when to let some go. Pure decisions;
 * who takes the samples, and does what was decided, is scaler.c. The algorithms have the names and
 * the intentions of uWSGI's, but decide on how long requests wait and look ten times a second. */

#define SCALE_TICK_US 100000ULL
#define SCALE_PARTS                                                                                \
    10 /* of the window that is looked back on: a sample each, if it is a second                   \
        */

enum scale_algo {
    SCALE_SPARE,    /* one worker shall be idle */
    SCALE_SPARE2,   /* `min` workers shall be idle */
    SCALE_BACKLOG,  /* no more than `overload` requests and connections shall wait */
    SCALE_BUSYNESS, /* the workers shall work for between busy_min and busy_max percent of the time
                     */
    SCALE_ALGO_COUNT,
};

struct scale_conf {
    enum scale_algo algo;
    unsigned min, max;                       /* workers */
    unsigned step;                           /* so many are added at a time */
    unsigned overload;                       /* SPARE, BUSYNESS: seconds; BACKLOG: how many wait */
    unsigned idle_s;                         /* SPARE2 */
    unsigned busy_min, busy_max, multiplier; /* BUSYNESS */
};

struct scale_sample {
    uint64_t now_us;
    unsigned n_workers; /* wanted */
    unsigned n_ready;   /* of those: serve; others are still on their way */
    unsigned n_idle;    /* of those: could take a request now */
    unsigned n_waiting; /* requests and connections that wait for a worker */
    uint64_t wait_us;   /* how long the oldest has waited, about */
    uint64_t quiet_us;  /* for how long no worker has had a request; 0: one has */
};

/* What is remembered from sample to sample. All zero to begin with. */
struct scale {
    unsigned n_none_idle;        /* samples in a row without an idle worker */
    unsigned n_short;            /* in a row with too few idle ones, or too many waiting */
    unsigned n_calm;             /* in a row with nothing waiting */
    uint64_t since_us;           /* begin of the present window, or part of it */
    unsigned n_samples;          /* since then */
    unsigned least_idle;         /* since then */
    uint64_t busy_sum, of_sum;   /* since then: busy workers, and all */
    unsigned parts[SCALE_PARTS]; /* least idle in each of the last ones */
    unsigned n_parts;            /* so far; it is the next one's place, modulo SCALE_PARTS */
    uint64_t changed_us;         /* last decision */
};

const char *scale_algo_name(enum scale_algo algo);
/* -EINVAL: there is none with this name. */
int scale_algo_find(const char *name, enum scale_algo *ret) _must_check_;

/* How many workers more (or fewer, negative) there shall be; 0: as it is. *@ret_why is a phrase for
 * the log. */
int scale_decide(struct scale *s, const struct scale_conf *c, const struct scale_sample *sample,
                 const char **ret_why) _must_check_;
