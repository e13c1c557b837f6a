/* SPDX-License-Identifier: MIT */
#include "worker/scoreboard.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

int scoreboard_open(struct scoreboard *b, size_t n_slots)
{
    void *memory = mmap(NULL, n_slots * sizeof(*b->slots), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return -errno;
    *b = (struct scoreboard){.n_slots = n_slots, .slots = memory};
    return 0;
}

void scoreboard_close(struct scoreboard *b)
{
    if (b->slots)
        (void)munmap(b->slots, b->n_slots * sizeof(*b->slots));
    *b = (struct scoreboard){0};
}

bool scoreboard_others_idle(const struct scoreboard *b, int id)
{
    for (size_t i = 0; i < b->n_slots; i++)
        if (i + 1 != (size_t)id && atomic_load_explicit(&b->slots[i].idle, memory_order_relaxed))
            return true;
    return false;
}

bool scoreboard_has_many(const struct scoreboard *b, int id)
{
    uint64_t own = atomic_load_explicit(&b->slots[id - 1].n_conns, memory_order_relaxed), all = 0;

    for (size_t i = 0; i < b->n_slots; i++)
        all += atomic_load_explicit(&b->slots[i].n_conns, memory_order_relaxed);
    assert(b->n_slots > 0);
    uint64_t share = (all + b->n_slots - 1) / b->n_slots;
    return own > share + share / 8;
}
