/* SPDX-License-Identifier: MIT */
#pragma once

#include "instance/registry.h"
#include "loop/child.h"

/* A process that reads the configuration for a master that must not wait: what a load has to be
 * waited for is read there, and comes back as texts for the master's own load. */
struct fetch {
    enum fetch_state {
        FETCH_IDLE,
        FETCH_BUSY,
        FETCH_ENDED, /* fetch_take() says how */
    } state;
    struct loop_child child;
    struct loop_timer limit;
    struct loop *loop;
    bool too_long;
    siginfo_t end;
    int result_fd;              /* a file in memory: the texts, or the sentence that says why not */
    void (*on_end)(void *data); /* the state has become FETCH_ENDED */
    void *data;
};

void fetch_init(struct fetch *f, void (*on_end)(void *data), void *data);

/* Starts the process, which loads the configuration as @in says, with in->sources as they are and
 * without their being offline; a text of the Emperor's is asked for. Returns 0 or a negative errno
 * with @err. */
int fetch_start(struct fetch *f, struct loop *l, const struct registry_input *in,
                struct errmsg *err) _must_check_;

/* Adds what was read to @ret, and is idle again. Returns 0, or a negative errno with @err. */
int fetch_take(struct fetch *f, struct source_cache *ret, struct errmsg *err) _must_check_;

/* Ends the process and forgets what it has read. Does nothing to an idle one. */
void fetch_cancel(struct fetch *f);
