/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "app/app.h"
#include "proto/proto-id.h"
#include "static/serve.h"
#include "worker/queue.h"
#include "worker/worker-conf.h"

/* A worker: the process that owns client connections and runs the application. */

struct scoreboard;

struct worker_listener {
    int fd;
    uint32_t id; /* the same in all generations */
    enum proto_id protocol;
    struct tls_context *tls; /* NULL: plain */
    const char *name;        /* as the configuration writes it */
};

/* What a worker starts with: this and nothing else. */
struct worker_start {
    int id;
    const char *name; /* of the instance */
    pid_t master;
    int channel_fd; /* to the master: ipc/family.h */
    const struct worker_listener *listeners;
    size_t n_listeners;
    bool shared_listeners;          /* other instances accept on them, too */
    struct queue queue;             /* of the instance */
    const struct scoreboard *board; /* of the generation */
    const struct worker_conf *conf;
    const struct apps *apps;
    struct static_site *site; /* NULL: no static files */

    /* Called in a copy of the worker, which has given up what was the worker's: from now on it is
     * the zygote. The descriptors are its own. */
    _noreturn_ void (*become_zygote)(const void *data, int channel_fd, int output_fd);
    const void *zygote_data;
};

/* Serves until the master says to finish. Returns the process's exit code. Once a process. */
int worker_run(const struct worker_start *start);

/* What plugins get to know and may do (struct liege_host). Outside a worker: 0, 0 and -ESRCH. */
int worker_id(void);
int64_t worker_master_pid(void);
int worker_request_reload(void);
extern const struct liege_respond worker_respond;
extern const struct liege_body worker_body;
