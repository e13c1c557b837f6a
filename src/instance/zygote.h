/* SPDX-License-Identifier: MIT */
#pragma once

#include "instance/child.h"
#include "ipc/channel.h"
#include "loop/child.h"

struct generation;
struct slot;

/* The warm process that has loaded the application and forks on request: the master's side of it.
 */
struct zygote {
    struct generation *generation;
    struct channel channel; /* closed: there is none */
    struct loop_child child;
    struct loop_timer timer; /* loading may not take for ever; then: the next start after a death */
    bool loaded;
    bool ended;          /* and is not started again */
    bool refused;        /* it has said itself that it cannot be one */
    int model;           /* the worker that it is a copy of; 0: it has loaded the application */
    bool wanted;         /* restart it when it dies */
    unsigned n_failures; /* in a row */
    char cause[1024];    /* why it ended, as it said it; or "" */
};

/* Returns 0 with *@ret, or -ENOMEM. */
int zygote_new(struct generation *g, struct zygote **ret) _must_check_;

/* Kills it and forgets it: who reaps strangers reaps it. Returns NULL, also of NULL. */
struct zygote *zygote_free(struct zygote *z);

/* Forks it from the master. Returns 0 or a negative errno. */
int zygote_start(struct zygote *z) _must_check_;

/* Has @worker fork it. Returns 0 or a negative errno. */
int zygote_promote(struct zygote *z, const struct slot *worker) _must_check_;

/* Asks it to fork worker @id, which gets @fd, and prints to @output_fd (-1: as the zygote does).
 * -ESRCH: it is not loaded (again) yet; -EBUSY: it has too many orders already. */
int zygote_fork(struct zygote *z, int id, int fd, int output_fd) _must_check_;

/* Has it fork a vassal for the Emperor at the other end of @fd, which stays the caller's. -ESRCH:
 * it is not loaded (again) yet; -EBUSY: it has too many orders already. */
int zygote_adopt(struct zygote *z, int fd) _must_check_;

/* Kills it although it is wanted: it hangs. */
void zygote_kill(struct zygote *z);

/* Kills it; workers that it forked go on. */
void zygote_stop(struct zygote *z);

static inline bool zygote_exists(const struct zygote *z)
{
    return z && z->child.proc.pid != 0;
}
