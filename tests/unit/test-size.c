/* SPDX-License-Identifier: MIT */
/* How many workers are wanted, and until when. */
#include "instance/size.h"

#include "unit.h"
#include "worker/scoreboard.h"

static void test_changes_stay(void **state)
{
    struct size s = {0};

    (void)state;
    assert_int_equal(size_configure(&s, 0, 2, 2), 2);
    assert_int_equal(size_change(&s, 1), 3);
    assert_int_equal(size_configure(&s, 0, 2, 2), 3);
    assert_int_equal(size_configure(&s, 0, 5, 5), 5);
    assert_int_equal(size_change(&s, -1), 4);
    assert_int_equal(size_configure(&s, 0, 2, 2), 2);
}

static void test_limits(void **state)
{
    struct size s = {0};

    (void)state;
    assert_int_equal(size_configure(&s, 0, 2, 2), 2);
    assert_int_equal(size_change(&s, -1), 1);
    assert_int_equal(size_change(&s, -1), 1);
    assert_int_equal(size_configure(&s, 1, SCOREBOARD_MAX_WORKERS, SCOREBOARD_MAX_WORKERS),
                     SCOREBOARD_MAX_WORKERS);
    assert_int_equal(size_change(&s, 1), SCOREBOARD_MAX_WORKERS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes_stay),
        cmocka_unit_test(test_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
