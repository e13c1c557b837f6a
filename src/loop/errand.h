/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "loop/child.h"

/* Work that may wait, done by a child: the loop goes on, and hears of the end. A child that takes
 * too long is killed, with whatever it has started. */
struct errand {
    struct loop *loop;
    struct loop_child child;
    struct loop_timer timer;
    void (*on_end)(void *data, const siginfo_t *end);
    void *data;
};

void errand_init(struct errand *e, void (*on_end)(void *data, const siginfo_t *end), void *data);

/* Has @work done, within @limit_us, by a child that has descriptors 0, 1 and 2 and no others, is a
 * process group of its own, and ends with us; its exit code is what @work returns. Returns 0, and
 * on_end() follows, or a negative errno. There must be none that is on its way. */
int errand_start(struct errand *e, struct loop *loop, int (*work)(const void *data),
                 const void *data, uint64_t limit_us) _must_check_;

/* Kills it; on_end() does not follow. */
void errand_stop(struct errand *e);

static inline bool errand_is_on(const struct errand *e)
{
    return e->child.proc.pid != 0;
}
