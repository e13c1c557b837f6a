/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "worker/handoff.h"
#include "worker/queue.h"

/* The keeper of a worker: a small second process that has the same descriptors, and does nothing
 * but wait for the worker's end. When the worker is killed or crashes, the kernel therefore does
 * not close its clients' connections: the keeper puts those that are idle into the queue, where
 * other workers find them, with requests that nobody has read; the others end with the keeper. It
 * begins with the first connection that there is to keep.
 *
 * What the keeper knows about connections is in memory that the two share. So a connection costs
 * the worker some writes to it, and no system call. */

#define KEEPER_MAX_CONNS 65536 /* those beyond are not kept */

enum kept_state {
    KEPT_FREE,
    KEPT_BUSY, /* something of it is in the worker's own memory, and is lost with it */
    KEPT_IDLE, /* everything that there is to know is in the entry */
};

/* A connection, as the keeper knows it. */
struct kept {
    _Atomic(uint32_t) state; /* enum kept_state */
    int fd;
    union {
        struct handoff_entry entry;
        uint32_t next_free; /* of those that were used before: its number + 1; 0: none */
    };
};

struct keeper_memory;

/* The worker's side. */
struct keeper {
    struct keeper_memory *memory;
    uint32_t first_free; /* number + 1 */
    bool started;        /* or tried to */
};

/* To be called by the worker: the keeper, which is started later, waits for the end of the calling
 * process. @channel_fd is the worker's to the master. Returns 0 or a negative errno. */
int keeper_open(struct keeper *k, const struct queue *queue, int channel_fd) _must_check_;

/* Enters a connection, which is busy. NULL if there are too many: it is not kept then. */
struct kept *keeper_enter(struct keeper *k, int fd);

/* It is to be closed now, or has been given away. NULL is left alone. */
void keeper_leave(struct keeper *k, struct kept *c);

/* Starts the process. It says FAMILY_KEEPER to the master, with which it dies. Returns 0 or a
 * negative errno. */
int keeper_start(struct keeper *k, pid_t master);

/* In a copy of the worker: gives up the memory and the descriptor. */
void keeper_shed(struct keeper *k);

/* The worker ends as it wants to: there is nothing to keep. */
void keeper_end(struct keeper *k);

/* kept->entry is filled in: from now on the connection outlives the worker. */
static inline void kept_hold(struct kept *c)
{
    atomic_store_explicit(&c->state, KEPT_IDLE, memory_order_release);
}

/* Something is about to be read from it, or to be done with it. */
static inline void kept_release(struct kept *c)
{
    atomic_store_explicit(&c->state, KEPT_BUSY, memory_order_release);
}
