/* SPDX-License-Identifier: MIT */
#pragma once

#include "instance/listen.h"
#include "loop/loop.h"

struct generation;
struct idle;

/* A socket on which nobody accepts, and a connection is waited for. */
struct bell {
    struct loop_io io;
    struct idle *idle;
};

/* Whether anybody asks the instance for anything (idle): notices that nobody has for so long, and,
 * when there are no workers for that reason, that somebody does. Workers say in the scoreboard
 * since when no request has been open; a request that waits or is answered counts, a connection
 * that is only kept open does not. */
struct idle {
    struct loop *loop;
    struct loop_timer timer;
    uint64_t limit_us; /* 0: nobody wants to know */
    uint64_t since_us; /* no request before that is known of */
    struct bell bells[LISTEN_MAX_SOCKETS];
    size_t n_bells;
    const struct generation *(*generation)(void *data); /* that serves; NULL: ask again later */
    void (*on_idle)(void *data);
    void (*on_bell)(void *data); /* a connection waits; once */
    void *data;
};

void idle_init(struct idle *i, const struct generation *(*generation)(void *data),
               void (*on_idle)(void *data), void (*on_bell)(void *data), void *data);

/* From now on on_idle() is called when nothing has been asked for @limit_us; 0: it is not. */
void idle_configure(struct idle *i, struct loop *loop, uint64_t limit_us);

/* Waits for a connection on the sockets of @l, which must stay until it is told to stop or has
 * called on_bell(). Returns 0 or a negative errno. */
int idle_wait_for_bell(struct idle *i, const struct listeners *l) _must_check_;

static inline bool idle_waits_for_bell(const struct idle *i)
{
    return i->n_bells > 0;
}

/* No callback comes after this. */
void idle_stop(struct idle *i);
