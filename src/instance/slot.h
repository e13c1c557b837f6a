/* SPDX-License-Identifier: MIT */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "ipc/channel.h"
#include "ipc/family.h"
#include "loop/child.h"

struct generation;

/* A worker's place in a generation: it outlives the processes that fill it. One that shall be
 * replaced before it ends leaves the place to a new one (generation.h). */

enum slot_state {
    SLOT_EMPTY,    /* no process, none wanted */
    SLOT_FORKING,  /* asked for; no process of ours yet */
    SLOT_STARTING, /* a process that has not said it is ready */
    SLOT_READY,
    SLOT_DRAINING, /* told to finish; its deadline runs */
    SLOT_STOPPING, /* told to end now; its last moment runs */
    SLOT_BACKOFF,  /* died too soon; its next start waits for its time */
    SLOT_STATE_COUNT,
    SLOT_STATE_INVALID = -EINVAL,
};

enum slot_event {
    SLOT_START,  /* a process is wanted */
    SLOT_HELLO,  /* the process has shown itself */
    SLOT_SERVES, /* the process is ready */
    SLOT_GONE,   /* the process, or the hope for one, is no more */
    SLOT_DRAIN,  /* finish and end */
    SLOT_STOP,   /* end now */
    SLOT_TIMEOUT,
    SLOT_EVENT_COUNT,
};

struct slot {
    int id; /* the worker's: 1 ... */
    struct generation *generation;

    enum slot_state state;
    uint64_t since_us;
    char reason[128];

    struct channel channel;
    struct loop_child child;
    struct loop_timer timer; /* of the state: start, drain or back-off */
    unsigned n_failures;     /* in a row; a process that stayed resets it */
    struct list link;        /* in generation->slots */
    bool retires;            /* wants to be replaced, when it is its turn */
    bool leaves;             /* another one has its place, or is about to */
    enum family_drain drain;
    bool kept;      /* its process has a keeper */
    bool explained; /* why its process ended needs no further line of the log */
    bool accepting; /* its process may still take connections */
};

const char *slot_state_name(enum slot_state state);

void slot_init(struct slot *s, struct generation *g, int id);

/* Kills what is left and closes everything, without further events. */
void slot_done(struct slot *s);

/* The only way to change a slot: looks state and event up in the table. */
void slot_handle(struct slot *s, enum slot_event event, const char *reason);

/* The pid of its process, or 0. */
static inline pid_t slot_pid(const struct slot *s)
{
    return s->child.proc.pid;
}
