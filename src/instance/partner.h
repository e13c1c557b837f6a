/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "instance/registry.h"
#include "instance/takeover.h"
#include "ipc/channel.h"
#include "loop/child.h"

/* The other master of an instance during an upgrade: both serve on the same sockets, until an
 * operator tells one of them to end. */

struct partner {
    struct channel channel;
    struct loop_child child; /* the newer one is our child; of the older one PROC_NONE */
    bool exists;
    pid_t pid;         /* 0: it has not said yet who it is */
    bool older;        /* it was there before us */
    bool serves;       /* has workers that are ready */
    bool shares_queue; /* connections can pass between its workers and ours */
    void (*on_serves)(void *data);
    void (*on_end)(void *data, const struct partner *was, const char *how); /* it is gone then */
    void *data;
};

void partner_init(struct partner *p, void (*on_serves)(void *data),
                  void (*on_end)(void *data, const struct partner *was, const char *how),
                  void *data);
void partner_done(struct partner *p);

static inline bool partner_exists(const struct partner *p)
{
    return p->exists;
}

/* Starts a newer master: @program, to read what @input says. It gets the sockets of @l, the queue
 * @q and what cannot be read again of the configuration. Returns 0 or a negative errno. */
int partner_start(struct partner *p, struct loop *loop, const char *program,
                  const struct registry_input *input, const struct listeners *l,
                  const struct queue *q) _must_check_;

/* A newer one has been started by somebody else, and listens at the other end of @fd, which is
 * taken over: it gets the sockets of @l and the queue @q. Returns 0 or a negative errno. */
int partner_give_way(struct partner *p, struct loop *loop, int fd, const struct listeners *l,
                     const struct queue *q) _must_check_;

/* Has an older one: takes its sockets and queue over from @fd, which becomes ours. What was
 * received is to be released either way. Returns 0, or a negative errno with @err. */
int partner_join(struct partner *p, int fd, struct listeners *ret_listeners,
                 struct queue *ret_queue, struct errmsg *err) _must_check_;

/* The older one is watched from now on. */
int partner_watch(struct partner *p, struct loop *loop) _must_check_;

/* Tells the older one, if there is one, that we serve. */
void partner_say_serves(const struct partner *p);
