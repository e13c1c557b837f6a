/* SPDX-License-Identifier: MIT */
/* Signs of life: regular while all is well, none while it is not, and lines of the log in between.
 */
#include "instance/heartbeat.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "unit-loop.h"

#define PERIOD_US (10 * US_PER_MS)

static struct heartbeat heart;
static unsigned n_looks, n_beats;
static const char *course; /* a letter for each look: 'w' well, anything else not */

static bool is_well(void *data, uint64_t since_us)
{
    assert_ptr_equal(data, &course);
    assert_true(since_us <= loop_now_us(unit_loop) - 2 * PERIOD_US);
    bool well = course[n_looks++] == 'w';
    if (course[n_looks] == '\0')
        loop_stop(unit_loop, 0);
    return well;
}

static void beat(void *data)
{
    (void)data;
    n_beats++;
}

/* Returns what was logged; the caller frees it. */
static char *run(const char *looks)
{
    course = looks;
    n_looks = n_beats = 0;
    heartbeat_init(&heart, is_well, beat, &course);
    heartbeat_configure(&heart, unit_loop, PERIOD_US);
    unit_begin_capture();
    int r = unit_run_loop();
    char *said = unit_end_capture();
    heartbeat_stop(&heart);
    assert_int_equal(r, 0);
    return said;
}

static void test_well(void **state)
{
    uint64_t before_us = clock_now_us();

    (void)state;
    char *said = run("wwwwww");
    assert_string_equal(said, "");
    assert_int_equal(n_beats, 6);
    assert_true(clock_now_us() - before_us >= 5 * PERIOD_US); /* the first one is at once */
    free(said);
}

static void test_ill(void **state)
{
    (void)state;
    char *said = run("ww...ww");
    assert_int_equal(n_beats, 4);
    const char *first = strstr(said, "heartbeat: for 0.02 s no worker");
    assert_non_null(first);
    assert_null(strstr(first + 1, "heartbeat: for"));
    assert_non_null(strstr(first, "heartbeat: workers take requests again"));
    free(said);
}

static void test_never(void **state)
{
    (void)state;
    heartbeat_init(&heart, is_well, beat, &course);
    heartbeat_stop(&heart);
    heartbeat_configure(&heart, unit_loop, 0);
    assert_false(loop_timer_is_set(&heart.timer));
}

#define HEART_TEST(fn) cmocka_unit_test_setup_teardown(fn, unit_make_loop, unit_free_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEART_TEST(test_well),
        HEART_TEST(test_ill),
        HEART_TEST(test_never),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
