/* SPDX-License-Identifier: MIT */
#pragma once

#include "ipc/message.h"
#include "loop/loop.h"

/* A message socket in the loop. Each message is looked up in the owner's rules; one that has no
 * rule, or the wrong number of descriptors, closes the channel: its sender is broken or hostile. */

struct channel;

/* The handler owns the descriptors of @m. A negative return closes the channel. */
typedef int channel_handler_fn(struct channel *c, struct message *m);

struct channel_rule {
    channel_handler_fn *handler; /* NULL: not accepted */
    size_t n_fds;                /* exactly */
};

struct channel {
    struct loop_io io; /* fd -1: closed */
    struct loop *loop;
    const struct channel_rule *rules; /* by type */
    size_t n_rules;
    void (*on_closed)(struct channel *c,
                      int error); /* 0: the peer closed it; else negative errno */
};

/* Takes over @fd and listens to it. */
int channel_open(struct channel *c, struct loop *l, int fd, const struct channel_rule *rules,
                 size_t n_rules, void (*on_closed)(struct channel *c, int error)) _must_check_;

/* Handles the messages that have arrived already: the last words of a process that has ended. Does
 * not call on_closed. Handlers that are called from here may close @c but not free it. */
void channel_drain(struct channel *c);

/* Gives the descriptor away, as it is; -1: closed. */
int channel_take(struct channel *c);

/* Closes without calling on_closed. Does nothing to a closed one. */
void channel_close(struct channel *c);
