/* SPDX-License-Identifier: MIT */
/* The scoreboard: what one process writes the others see. */
#include "worker/scoreboard.h"

#include <unistd.h>

#include "unit.h"

static struct scoreboard board;

static void be_idle(void *data)
{
    const int *id = data;

    atomic_store(&board.slots[*id - 1].idle, true);
    atomic_fetch_add(&board.slots[*id - 1].n_requests, 7);
}

static void test_others(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 64, 1000};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        int last = (int)sizes[i];
        assert_int_equal(scoreboard_open(&board, sizes[i]), 0);
        assert_int_equal(board.n_slots, sizes[i]);
        assert_false(scoreboard_others_idle(&board, 1));
        assert_int_equal(unit_run_child(be_idle, &last), 0);
        assert_false(scoreboard_others_idle(&board, last)); /* it is no other */
        assert_int_equal(scoreboard_others_idle(&board, 1), last != 1);
        assert_true(scoreboard_others_idle(&board, last + 1));
        assert_int_equal(atomic_load(&board.slots[last - 1].n_requests), 7);
        for (int k = 0; k < last - 1; k++)
            assert_int_equal(atomic_load(&board.slots[k].n_requests), 0);
        scoreboard_close(&board);
        assert_null(board.slots);
        scoreboard_close(&board);
    }
}

/* Slots are written all the time, each by another process: none shares a cache line. */
static void test_lines(void **state)
{
    (void)state;
    assert_int_equal(scoreboard_open(&board, 2), 0);
    assert_int_equal((uintptr_t)&board.slots[0] % 64, 0);
    assert_int_equal((uintptr_t)&board.slots[1] % 64, 0);
    scoreboard_close(&board);
}

static void test_refusal(void **state)
{
    (void)state;
    assert_true(scoreboard_open(&board, SIZE_MAX / sizeof(*board.slots)) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
