/* SPDX-License-Identifier: MIT */
#include "instance/size.h"

#include "worker/scoreboard.h"

uint64_t size_configure(struct size *s, uint64_t n_workers)
{
    if (s->configured != n_workers)
        *s = (struct size){.configured = n_workers, .wanted = n_workers};
    return s->wanted;
}

uint64_t size_change(struct size *s, int by)
{
    if (by > 0 && s->wanted < SCOREBOARD_MAX_WORKERS)
        s->wanted++;
    else if (by < 0 && s->wanted > 1)
        s->wanted--;
    return s->wanted;
}
