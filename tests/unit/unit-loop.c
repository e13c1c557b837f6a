/* SPDX-License-Identifier: MIT */
/* A loop for each test, and running it with a limit. */
#include "unit-loop.h"

#include <errno.h>

#include "base/clock.h"

#define PATIENCE_US (20 * US_PER_SEC)

struct loop *unit_loop;

int unit_make_loop(void **state)
{
    (void)state;
    return loop_new(&unit_loop);
}

int unit_free_loop(void **state)
{
    (void)state;
    unit_loop = loop_free(unit_loop);
    return 0;
}

static void on_limit(struct loop_timer *t)
{
    (void)t;
    loop_stop(unit_loop, -ETIME);
}

int unit_run_loop(void)
{
    struct loop_timer limit = {.fn = on_limit};

    loop_timer_set(unit_loop, &limit, clock_now_us() + PATIENCE_US);
    int code = loop_run(unit_loop);
    loop_timer_clear(unit_loop, &limit);
    assert_int_not_equal(code, -ETIME);
    return code;
}
