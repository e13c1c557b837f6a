/* SPDX-License-Identifier: MIT */
/* Who may start when: the order of turns, their number, and that nobody keeps one for ever. And the
 * arithmetic of the throttle. */
#include "emperor/pace.h"

#include "base/clock.h"
#include "emperor/throttle.h"
#include "unit-loop.h"
#include "unit.h"

#define LONG_US (3600 * US_PER_SEC)

struct starter {
    struct turn turn;
    char name;
};

static struct pace pace;
static struct starter starters[4];
static char order[16]; /* in which they started */
static size_t n_started;
static uint64_t patience_us;

static void on_turn(struct turn *t)
{
    order[n_started++] = container_of(t, struct starter, turn)->name;
    order[n_started] = '\0';
    turn_take(t, patience_us);
    if (n_started == COUNT_OF(starters))
        loop_stop(unit_loop, 0);
}

static int set_up(void **state)
{
    n_started = 0;
    order[0] = '\0';
    patience_us = LONG_US;
    assert_int_equal(unit_make_loop(state), 0);
    pace_init(&pace, unit_loop, 2, on_turn);
    for (size_t i = 0; i < COUNT_OF(starters); i++) {
        turn_init(&starters[i].turn, &pace);
        starters[i].name = (char)('a' + i);
    }
    return 0;
}

static int tear_down(void **state)
{
    for (size_t i = 0; i < COUNT_OF(starters); i++)
        turn_end(&starters[i].turn);
    pace_done(&pace);
    return unit_free_loop(state);
}

static void stop(struct loop_task *t)
{
    (void)t;
    loop_stop(unit_loop, 0);
}

static void run_round(void)
{
    struct loop_task last;

    loop_task_init(&last, stop);
    loop_task_queue(unit_loop, &last);
    assert_int_equal(unit_run_loop(), 0);
}

/* What the loop has to do now. */
static void run_once(void)
{
    do
        run_round();
    while (!list_empty(&pace.grant.link));
}

static void line_up(void)
{
    for (size_t i = 0; i < COUNT_OF(starters); i++)
        turn_wait(&starters[i].turn, false);
    run_once();
}

static void test_turns(void **state)
{
    (void)state;
    assert_true(turn_is_free(&starters[0].turn));
    line_up();
    assert_string_equal(order, "ab");
    assert_false(turn_is_free(&starters[2].turn));
    turn_end(&starters[1].turn);
    turn_end(&starters[1].turn);
    run_once();
    assert_string_equal(order, "abc");
    turn_end(&starters[3].turn); /* gives up waiting */
    turn_end(&starters[0].turn);
    turn_end(&starters[2].turn);
    run_once();
    assert_string_equal(order, "abc");
    assert_true(turn_is_free(&starters[0].turn));
}

static void test_one_turn_in_a_round(void **state)
{
    (void)state;
    turn_wait(&starters[0].turn, false);
    turn_wait(&starters[1].turn, false);
    run_round();
    assert_string_equal(order, "a");
    run_round();
    assert_string_equal(order, "ab");
}

static void test_in_front(void **state)
{
    (void)state;
    turn_take(&starters[0].turn, LONG_US);
    turn_take(&starters[1].turn, LONG_US);
    turn_wait(&starters[2].turn, false);
    turn_wait(&starters[3].turn, true);
    turn_end(&starters[0].turn);
    run_once();
    assert_string_equal(order, "d");
}

/* Whoever is not ready in time stands in nobody's way, and gives nothing back twice. */
static void test_patience(void **state)
{
    (void)state;
    patience_us = US_PER_MS;
    for (size_t i = 0; i < COUNT_OF(starters); i++)
        turn_wait(&starters[i].turn, false);
    assert_int_equal(unit_run_loop(), 0);
    assert_string_equal(order, "abcd");
    for (size_t i = 0; i < COUNT_OF(starters); i++)
        turn_end(&starters[i].turn);
    assert_int_equal(pace.n_taken, 0);
}

static void test_expect(void **state)
{
    (void)state;
    line_up();
    turn_expect(&starters[0].turn, 0);
    turn_expect(&starters[1].turn, 0);
    turn_expect(&starters[2].turn, 0); /* waits: has none */
    assert_int_equal(unit_run_loop(), 0);
    assert_string_equal(order, "abcd");
}

static void test_throttle(void **state)
{
    struct throttle t = {0};
    uint64_t now = 1000 * US_PER_SEC;
    const uint64_t step = US_PER_SEC, max = 3 * US_PER_SEC;

    (void)state;
    assert_int_equal(throttle_next(&t, now, step, max), 0);
    assert_int_equal(throttle_next(&t, now, step, max), step);
    assert_int_equal(throttle_next(&t, now + 999 * US_PER_MS, step, max), 2 * step);
    now += 999 * US_PER_MS;
    assert_int_equal(throttle_next(&t, now, step, max), max);
    assert_int_equal(throttle_next(&t, now, step, max), max);
    now += US_PER_SEC;
    assert_int_equal(throttle_next(&t, now, step, max), max / 2);
    for (int i = 0; i < 12; i++)
        (void)throttle_next(&t, now += 2 * US_PER_SEC, step, max);
    assert_int_equal(t.level_us, 0);
    assert_int_equal(throttle_next(&t, now, 0, max), 0); /* emperor-throttle = 0 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_turn_in_a_round, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_in_front, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_patience, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_expect, set_up, tear_down),
        cmocka_unit_test(test_throttle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
