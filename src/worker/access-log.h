/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "loop/loop.h"
#include "worker/log-format.h"
#include "worker/worker-conf.h"

/* One line a request, gathered and written once a round of the loop. */
struct access_log {
    enum access_style {
        ACCESS_NONE,
        ACCESS_PLAIN,  /* liege's own line */
        ACCESS_FORMAT, /* log-format */
        ACCESS_JSON,   /* json-log */
    } style;
    struct log_format format;
    struct loop *loop;
    struct loop_task task;
    struct buf lines;
    int64_t second; /* that the time stamp below is of */
    char stamp[32];
};

/* Returns 0, or a negative errno with @err. */
int access_log_init(struct access_log *l, struct loop *loop, const struct worker_conf *conf,
                    struct errmsg *err) _must_check_;
void access_log_done(struct access_log *l);

static inline bool access_log_enabled(const struct access_log *l)
{
    return l->style != ACCESS_NONE;
}

/* What a client sent is escaped: a line stays a line. began_us is filled in here. */
void access_log_add(struct access_log *l, struct access_entry *e);

/* Writes what has been gathered. */
void access_log_flush(struct access_log *l);
