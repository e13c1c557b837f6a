/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "instance/listen.h"
#include "instance/logger.h"
#include "instance/registry.h"
#include "worker/queue.h"
#include "worker/scoreboard.h"

struct warm;

/* What crosses the fork from the master to a zygote or a worker: this structure and nothing else.
 */
struct child_start {
    const struct registry *registry;
    const struct listeners *listeners;
    const char *name; /* of the instance */
    uint32_t generation;
    pid_t master;
    int channel_fd;                 /* the child's end */
    int output_fd;                  /* where it prints; -1: where the master does */
    int worker_id;                  /* 0: a zygote */
    const struct queue *queue;      /* of the instance */
    const struct logger *logger;    /* of the instance */
    const struct scoreboard *board; /* of the generation */
    const struct warm *warm;        /* what the master has from a base vassal; NULL: nothing */
};

/* The exit code of a process that cannot load the application, and of an instance that for this
 * reason never served: a worker's boot error, as gunicorn has it. */
#define INSTANCE_EXIT_BOOT 3

/* The life of a zygote. */
_noreturn_ void zygote_main(const struct child_start *start);

/* The life of a worker that is forked from the master itself (lazy-apps): loads the application,
 * then serves. */
_noreturn_ void lazy_worker_main(const struct child_start *start);
