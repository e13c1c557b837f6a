/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

/* What the workers of a generation and their master know of each other: shared memory, written by
 * the worker that a slot is of, read by all. */

struct scoreboard_slot {
    _Alignas(64) _Atomic(bool) idle; /* waits for events, and could call the application */
    _Atomic(uint64_t) n_requests;    /* answered; over all processes of the slot */
    _Atomic(uint32_t) n_conns;       /* of it, now */
    _Atomic(uint64_t) n_given;       /* connections given to the queue */
    _Atomic(uint64_t) n_taken;       /* and taken from it */
};

struct scoreboard {
    size_t n_slots;
    struct scoreboard_slot *slots; /* of worker I: slots[I - 1] */
};

/* Returns 0 or a negative errno. */
int scoreboard_open(struct scoreboard *b, size_t n_slots) _must_check_;
void scoreboard_close(struct scoreboard *b);

/* True if worker @id has more connections than its share, and more than an eighth of it. */
bool scoreboard_has_many(const struct scoreboard *b, int id);

/* True if a worker other than @id waits for work. */
bool scoreboard_others_idle(const struct scoreboard *b, int id);
