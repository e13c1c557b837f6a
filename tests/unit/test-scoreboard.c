/* SPDX-License-Identifier: MIT */
/* The scoreboard: what one process writes the others see. */
#include "worker/scoreboard.h"

#include <unistd.h>

#include "unit.h"

static struct scoreboard board;

static void be_idle(void *data)
{
    const int *id = data;

    atomic_store(&scoreboard_slot(&board, *id)->idle, true);
    atomic_fetch_add(&scoreboard_slot(&board, *id)->n_requests, 7);
}

static void test_others(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 64, SCOREBOARD_MAX_WORKERS};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        int last = (int)sizes[i];
        assert_int_equal(scoreboard_open(&board, sizes[i]), 0);
        assert_int_equal(scoreboard_n_workers(&board), sizes[i]);
        assert_false(scoreboard_others_idle(&board, 1));
        assert_int_equal(unit_run_child(be_idle, &last), 0);
        assert_false(scoreboard_others_idle(&board, last)); /* it is no other */
        assert_int_equal(scoreboard_others_idle(&board, 1), last != 1);
        assert_int_equal(atomic_load(&scoreboard_slot(&board, last)->n_requests), 7);
        for (int k = 0; k < last - 1; k++)
            assert_int_equal(atomic_load(&scoreboard_slot(&board, k + 1)->n_requests), 0);
        scoreboard_close(&board);
        assert_null(board.memory);
        scoreboard_close(&board);
    }
}

/* Slots are written all the time, each by another process: none shares a cache line. */
static void test_lines(void **state)
{
    (void)state;
    assert_int_equal(scoreboard_open(&board, 2), 0);
    assert_int_equal((uintptr_t)scoreboard_slot(&board, 1) % 64, 0);
    assert_int_equal((uintptr_t)scoreboard_slot(&board, 2) % 64, 0);
    scoreboard_close(&board);
}

static void set_conns(int id, uint32_t n)
{
    atomic_store(&scoreboard_slot(&board, id)->n_conns, n);
}

/* Workers beyond the number that is wanted leave, and count no more. */
static void test_resize(void **state)
{
    (void)state;
    assert_int_equal(scoreboard_open(&board, 3), 0);
    atomic_store(&scoreboard_slot(&board, 3)->idle, true);
    set_conns(1, 10);
    set_conns(3, 20);
    assert_true(scoreboard_others_idle(&board, 1));
    assert_false(scoreboard_has_many(&board, 1));
    assert_true(scoreboard_has_many(&board, 3));
    scoreboard_resize(&board, 2);
    assert_false(scoreboard_others_idle(&board, 1));
    assert_true(scoreboard_has_many(&board, 1)); /* of two, with ten */
    scoreboard_forget(&board, 3);
    scoreboard_resize(&board, 3);
    assert_false(scoreboard_others_idle(&board, 1));
    scoreboard_resize(&board, 0);
    assert_false(scoreboard_others_idle(&board, 1) || scoreboard_has_many(&board, 1));
    scoreboard_close(&board);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_resize),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
