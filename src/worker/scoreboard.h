/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macro.h"

/* What the workers of a generation and their master know of each other: shared memory, written by
 * the worker that a slot is of, read by all. There is room for more workers than there are, because
 * their number changes while they run. */

#define SCOREBOARD_MAX_WORKERS 4096

struct scoreboard_slot {
    _Alignas(64) _Atomic(bool) idle; /* waits for events, and could call the application */
    _Atomic(uint64_t) n_requests;    /* answered; over all processes of the slot */
    _Atomic(uint32_t) n_conns;       /* of it, now */
    _Atomic(uint64_t) n_given;       /* connections given to the queue */
    _Atomic(uint64_t) n_taken;       /* and taken from it */
    _Atomic(uint64_t) call_due;      /* struct call_due; 0: none */
    _Atomic(uint64_t) quiet_us;      /* since when no request has been open; 0: one is */
    _Atomic(uint64_t) pulse_us;      /* the last sign of life (pulse.h) */
};

struct scoreboard_memory {
    _Alignas(
        64) _Atomic(uint32_t) n_workers; /* that are wanted: 1 to this; written by the master */
    struct scoreboard_slot slots[SCOREBOARD_MAX_WORKERS]; /* of worker I: slots[I - 1] */
};

struct scoreboard {
    struct scoreboard_memory *memory;
};

/* For @n_workers at first. Returns 0 or a negative errno. */
int scoreboard_open(struct scoreboard *b, size_t n_workers) _must_check_;
void scoreboard_close(struct scoreboard *b);

/* From now on there are @n_workers, at most SCOREBOARD_MAX_WORKERS. */
void scoreboard_resize(const struct scoreboard *b, size_t n_workers);

/* The process of worker @id has ended, and there is no other one with this number. */
void scoreboard_forget(const struct scoreboard *b, int id);

static inline size_t scoreboard_n_workers(const struct scoreboard *b)
{
    return atomic_load_explicit(&b->memory->n_workers, memory_order_relaxed);
}

static inline struct scoreboard_slot *scoreboard_slot(const struct scoreboard *b, int id)
{
    return &b->memory->slots[id - 1];
}

/* When the oldest call of the application in a worker's process has to be over (harakiri). */
struct call_due {
    pid_t pid; /* 0: there is none */
    uint64_t at_us;
};

/* Two processes may have the same slot for a while: both values are written at once. */
void scoreboard_set_call_due(struct scoreboard_slot *s, struct call_due due);
struct call_due scoreboard_call_due(const struct scoreboard_slot *s);

/* True if worker @id has more connections than its share, and more than an eighth of it. */
bool scoreboard_has_many(const struct scoreboard *b, int id);

/* True if a worker other than @id waits for work. */
bool scoreboard_others_idle(const struct scoreboard *b, int id);
