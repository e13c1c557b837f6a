/* SPDX-License-Identifier: MIT */
#include "worker/scoreboard.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

#include "base/clock.h"

int scoreboard_open(struct scoreboard *b, size_t n_workers)
{
    /* Pages of workers that never are do not exist. */
    void *memory = mmap(NULL, sizeof(*b->memory), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        return -errno;
    *b = (struct scoreboard){.memory = memory};
    scoreboard_resize(b, n_workers);
    return 0;
}

void scoreboard_close(struct scoreboard *b)
{
    if (b->memory)
        (void)munmap(b->memory, sizeof(*b->memory));
    *b = (struct scoreboard){0};
}

void scoreboard_resize(const struct scoreboard *b, size_t n_workers)
{
    assert(n_workers <= SCOREBOARD_MAX_WORKERS);

    atomic_store(&b->memory->n_workers, (uint32_t)n_workers);
}

void scoreboard_forget(const struct scoreboard *b, int id)
{
    struct scoreboard_slot *s = scoreboard_slot(b, id);

    atomic_store(&s->idle, false);
    atomic_store(&s->n_conns, 0);
}

bool scoreboard_others_idle(const struct scoreboard *b, int id)
{
    int n = (int)scoreboard_n_workers(b);

    for (int i = 1; i <= n; i++)
        if (i != id && atomic_load_explicit(&scoreboard_slot(b, i)->idle, memory_order_relaxed))
            return true;
    return false;
}

static uint64_t n_conns(const struct scoreboard *b, int id)
{
    return atomic_load_explicit(&scoreboard_slot(b, id)->n_conns, memory_order_relaxed);
}

bool scoreboard_has_many(const struct scoreboard *b, int id)
{
    uint64_t n = scoreboard_n_workers(b), all = 0;

    if (n == 0)
        return false;
    for (int i = 1; i <= (int)n; i++)
        all += n_conns(b, i);
    uint64_t share = (all + n - 1) / n;
    return n_conns(b, id) > share + share / 8;
}

#define DUE_MS_BITS 40 /* of the monotonic clock: 34 years */

void scoreboard_set_call_due(struct scoreboard_slot *s, struct call_due due)
{
    uint64_t packed = due.pid == 0
                          ? 0
                          : (uint64_t)due.pid << DUE_MS_BITS |
                                (due.at_us / US_PER_MS & ((UINT64_C(1) << DUE_MS_BITS) - 1));

    atomic_store_explicit(&s->call_due, packed, memory_order_relaxed);
}

struct call_due scoreboard_call_due(const struct scoreboard_slot *s)
{
    uint64_t packed = atomic_load_explicit(&s->call_due, memory_order_relaxed);

    return (struct call_due){
        .pid = (pid_t)(packed >> DUE_MS_BITS),
        .at_us = (packed & ((UINT64_C(1) << DUE_MS_BITS) - 1)) * US_PER_MS,
    };
}
