/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "liege/app.h"
#include "loop/loop.h"

/* One line a request, gathered and written once a round of the loop. */
struct access_log {
    bool enabled;
    const char *name; /* of the instance */
    struct loop *loop;
    struct loop_task task;
    struct buf lines;
    int64_t second; /* that the time stamp below is of */
    char stamp[32];
};

struct access_entry {
    const struct liege_request *req;
    int status;
    uint64_t bytes; /* of the body */
    uint64_t duration_us;
};

void access_log_init(struct access_log *l, struct loop *loop, const char *name, bool enabled);

/* What a client sent is escaped: a line stays a line. */
void access_log_add(struct access_log *l, const struct access_entry *e);

/* Writes what has been gathered. */
void access_log_flush(struct access_log *l);
