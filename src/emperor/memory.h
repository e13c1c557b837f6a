/* SPDX-License-Identifier: MIT */
#pragma once

#include "emperor/court.h"
#include "loop/errand.h"

/* What memory the processes of vassals have. The kernel takes up to a millisecond to say it of one
 * process, for which the loop has no time: a child does it for all, and their records have it when
 * that has ended. */
struct memory {
    struct court *court;
    struct errand errand;
    char pid_key[12];        /* in realm->by_pid */
    struct memory_row *rows; /* of those that are being measured; shared with the child */
    size_t n_rows;
    uint64_t begun_us;          /* monotonic, the last time; 0: never */
    void (*on_end)(void *data); /* records may be newer than before; may be NULL */
    void *data;
};

void memory_init(struct memory *m, struct court *court);
void memory_done(struct memory *m);

/* Begins unless it is at it, or has begun less than @age_us ago. False: nothing is on its way. */
bool memory_measure(struct memory *m, uint64_t age_us);

static inline bool memory_is_at_it(const struct memory *m)
{
    return errand_is_on(&m->errand);
}

/* How many bytes more the vassals that were forked from the base @v would have if each had loaded
 * for itself what its largest process has; 0: none is known. */
uint64_t memory_saved_by(const struct court *c, const struct vassal *v);
