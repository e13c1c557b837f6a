/* SPDX-License-Identifier: MIT */
/* When workers are added and removed: a story of samples for each algorithm. */
#include "instance/scale.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "unit.h"

#define TICKS_A_SECOND ((unsigned)(US_PER_SEC / SCALE_TICK_US))

static struct scale scale;
static struct scale_conf conf;
static unsigned n_workers;       /* as decided so far */
static uint64_t now_us, work_us; /* when there was something to do */

static void begin(enum scale_algo algo, unsigned min, unsigned max)
{
    scale = (struct scale){.since_us = 0};
    conf = (struct scale_conf){.algo = algo,
                               .min = min,
                               .max = max,
                               .step = 1,
                               .overload = 3,
                               .idle_s = 10,
                               .busy_min = 25,
                               .busy_max = 50,
                               .multiplier = 10};
    n_workers = min;
    now_us = work_us = 1000 * US_PER_SEC;
}

/* So many ticks with the same state; workers come at once when they are decided on. Returns the sum
 * of the decisions. */
static int go_on(unsigned ticks, unsigned n_busy, unsigned n_waiting, uint64_t wait_us)
{
    int sum = 0;

    for (unsigned i = 0; i < ticks; i++) {
        const char *why = NULL;
        if (n_busy > 0)
            work_us = now_us;
        const struct scale_sample x = {
            .now_us = now_us,
            .n_workers = n_workers,
            .n_ready = n_workers,
            .n_idle = n_workers - MIN(n_busy, n_workers),
            .n_waiting = n_waiting,
            .wait_us = wait_us,
            .quiet_us = now_us - work_us,
        };
        int change = scale_decide(&scale, &conf, &x, &why);
        assert_int_equal(change == 0, *why == '\0');
        sum += change;
        n_workers = (unsigned)((int)n_workers + change);
        assert_true(n_workers >= conf.min && n_workers <= conf.max);
        now_us += SCALE_TICK_US;
    }
    return sum;
}

static int seconds(unsigned n, unsigned n_busy, unsigned n_waiting, uint64_t wait_us)
{
    return go_on(n * TICKS_A_SECOND, n_busy, n_waiting, wait_us);
}

static void test_spare(void **state)
{
    (void)state;
    begin(SCALE_SPARE, 1, 8);
    assert_int_equal(seconds(60, 0, 0, 0), 0);
    assert_int_equal(go_on(1, 8, 5, 50 * US_PER_MS), 0); /* chance */
    assert_int_equal(go_on(1, 8, 5, 50 * US_PER_MS), 1);
    assert_int_equal(seconds(2, 8, 5, 50 * US_PER_MS), 6); /* all there are */
    assert_int_equal(seconds(5, 8, 5, 50 * US_PER_MS), 0);
    assert_int_equal(seconds(3, 7, 0, 0), 0);  /* one idle: as it should be */
    assert_int_equal(seconds(5, 2, 0, 0), -5); /* two busy, and one */
    assert_int_equal(seconds(6, 0, 0, 0), -2);
}

/* Nobody waits for long, but nobody is idle either: one more comes, later. */
static void test_spare_without_waiting(void **state)
{
    (void)state;
    begin(SCALE_SPARE, 2, 8);
    assert_int_equal(seconds(2, 2, 3, 5 * US_PER_MS), 0);
    assert_int_equal(seconds(2, 2, 3, 5 * US_PER_MS), 1);
    assert_int_equal(seconds(5, 2, 0, 0), 0);
}

/* What was busy once in the window is no surplus. */
static void test_short_bursts_keep_workers(void **state)
{
    (void)state;
    begin(SCALE_SPARE, 1, 8);
    n_workers = 6;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(go_on(TICKS_A_SECOND - 1, 1, 0, 0), 0);
        assert_int_equal(go_on(1, 5, 0, 0), 0);
    }
}

/* Whenever it is that the load falls. */
static void test_spare_goes_within_two_seconds(void **state)
{
    (void)state;
    for (unsigned busy_ticks = 1; busy_ticks <= 3 * TICKS_A_SECOND; busy_ticks++) {
        begin(SCALE_SPARE, 1, 8);
        n_workers = 8;
        assert_int_equal(go_on(busy_ticks, 7, 0, 0), 0);
        assert_int_equal(go_on(TICKS_A_SECOND - 2, 1, 0, 0), 0);
        assert_int_equal(go_on(TICKS_A_SECOND, 1, 0, 0), -6);
    }
}

/* All but the spare one, and those that cheaper keeps. */
static void test_the_end_of_a_load_is_seen_at_once(void **state)
{
    (void)state;
    for (unsigned min = 1; min <= 3; min++) {
        begin(SCALE_SPARE, min, 8);
        n_workers = 8;
        assert_int_equal(seconds(3, 8, 5, US_PER_MS), 0);
        assert_int_equal(go_on(3, 0, 0, 0), 0); /* between two requests */
        assert_int_equal(go_on(1, 1, 0, 0), 0);
        assert_int_equal(go_on(3, 0, 0, 0), 0);
        assert_int_equal(go_on(1, 0, 1, US_PER_MS), 0); /* that nobody has taken yet */
        assert_int_equal(go_on(1, 0, 0, 0), (int)min - 8);
    }
}

/* What was left of a load when some went does not keep the others for another while. */
static void test_the_rest_goes_as_soon_as_it_has_been_idle(void **state)
{
    (void)state;
    begin(SCALE_SPARE, 1, 8);
    n_workers = 8;
    assert_int_equal(seconds(3, 8, 0, 0), 0);
    assert_int_equal(go_on(6, 4, 0, 0), 0);
    assert_int_equal(go_on(6, 1, 0, 0),
                     -3); /* idle for more than a second: four, one of them spare */
    assert_int_equal(go_on(6, 1, 0, 0), -3);
}

static void test_step(void **state)
{
    (void)state;
    begin(SCALE_SPARE, 1, 8);
    conf.step = 5;
    assert_int_equal(go_on(2, 8, 5, US_PER_SEC), 5);
    assert_int_equal(go_on(2, 8, 5, US_PER_SEC), 2);
}

static void test_spare2(void **state)
{
    (void)state;
    begin(SCALE_SPARE2, 2, 8);
    conf.step = 2;
    assert_int_equal(go_on(1, 1, 0, 0), 0);
    assert_int_equal(go_on(1, 1, 0, 0), 1);
    assert_int_equal(seconds(2, 5, 0, 0), 4); /* five busy, two idle */
    assert_int_equal(seconds(9, 0, 0, 0), 0);
    assert_int_equal(seconds(12, 0, 0, 0), -5);
}

static void test_backlog(void **state)
{
    (void)state;
    begin(SCALE_BACKLOG, 1, 4);
    assert_int_equal(seconds(5, 1, 3, US_PER_SEC), 0);
    assert_int_equal(go_on(2, 1, 4, US_PER_SEC), 1);
    assert_int_equal(seconds(1, 4, 9, US_PER_SEC), 2);
    assert_int_equal(seconds(5, 4, 0, 0), 0); /* all are needed */
    assert_int_equal(seconds(2, 3, 0, 0), -1);
    assert_int_equal(seconds(5, 0, 0, 0), -2);
}

static void test_busyness(void **state)
{
    (void)state;
    begin(SCALE_BUSYNESS, 2, 6);
    assert_int_equal(seconds(2, 2, 0, 0), 0);
    assert_int_equal(seconds(2, 2, 0, 0), 1);
    assert_int_equal(seconds(10, 1, 0, 0), 0); /* a third */
    assert_int_equal(seconds(15, 0, 0, 0), 0); /* not so soon */
    assert_int_equal(seconds(10, 0, 0, 0), -1);
    assert_int_equal(seconds(60, 0, 0, 0), 0);
}

/* While some are on their way, nothing is decided. */
static void test_on_their_way(void **state)
{
    const char *why = NULL;

    (void)state;
    begin(SCALE_SPARE, 1, 8);
    for (int i = 0; i < 100; i++) {
        const struct scale_sample x = {
            .now_us = now_us, .n_workers = 3, .n_ready = 2, .n_waiting = 10, .wait_us = US_PER_SEC};
        assert_int_equal(scale_decide(&scale, &conf, &x, &why), 0);
        now_us += SCALE_TICK_US;
    }
}

static void test_names(void **state)
{
    enum scale_algo algo = SCALE_ALGO_COUNT;

    (void)state;
    for (enum scale_algo a = 0; a < SCALE_ALGO_COUNT; a++) {
        assert_int_equal(scale_algo_find(scale_algo_name(a), &algo), 0);
        assert_int_equal(algo, a);
    }
    assert_int_equal(scale_algo_find("manual", &algo), -EINVAL);
    assert_int_equal(scale_algo_find("", &algo), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spare),
        cmocka_unit_test(test_spare_without_waiting),
        cmocka_unit_test(test_short_bursts_keep_workers),
        cmocka_unit_test(test_spare_goes_within_two_seconds),
        cmocka_unit_test(test_the_end_of_a_load_is_seen_at_once),
        cmocka_unit_test(test_the_rest_goes_as_soon_as_it_has_been_idle),
        cmocka_unit_test(test_step),
        cmocka_unit_test(test_spare2),
        cmocka_unit_test(test_backlog),
        cmocka_unit_test(test_busyness),
        cmocka_unit_test(test_on_their_way),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
