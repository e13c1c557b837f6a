/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/list.h"
#include "base/macro.h"
#include "loop/loop.h"

/* The keepers of a generation's workers (worker/keeper.h), which end after them: a generation has
 * ended when they have, too, for they have its sockets open. */
struct keepers {
    struct loop *loop;
    struct list list; /* of processes */
    void (*on_end)(void *data);
    void *data;
};

/* @on_end is called whenever one has ended. */
void keepers_init(struct keepers *k, struct loop *loop, void (*on_end)(void *data), void *data);

/* Forgets all of them; they end with their workers, or with us. */
void keepers_done(struct keepers *k);

/* Takes charge of the process @pid. Returns 0 or a negative errno. */
int keepers_add(struct keepers *k, pid_t pid) _must_check_;

/* Nothing is to be kept any more: ends them at once. */
void keepers_kill(const struct keepers *k);

bool keepers_have_pid(const struct keepers *k, pid_t pid);

static inline bool keepers_empty(const struct keepers *k)
{
    return list_empty(&k->list);
}
