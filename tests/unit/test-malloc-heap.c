/* SPDX-License-Identifier: MIT */
#include "base/malloc-heap.h"

#include <stdint.h>
#include <stdlib.h>

#include "base/macro.h"
#include "unit.h"

#define N_PIECES 4000
#define PIECE    ((size_t)500)

static char *pieces[N_PIECES];

/* A heap with gaps of many sizes. */
static int set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PIECES; i++) {
        pieces[i] = malloc(PIECE + i % 7 * 300);
        assert_non_null(pieces[i]);
    }
    for (size_t i = 0; i < N_PIECES; i++) {
        if (i % 10 == 0)
            continue;
        free(pieces[i]);
        pieces[i] = NULL;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PIECES; i++)
        free(pieces[i]);
    return 0;
}

static void what_is_allocated_then_lies_together(void **state)
{
    static const size_t sizes[] = {20, 100, 300, 1000, 3000, 10000};
    char *p[COUNT_OF(sizes)];
    size_t sum = 0;

    (void)state;
    malloc_close_gaps();
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        p[i] = malloc(sizes[i]);
        assert_non_null(p[i]);
        sum += sizes[i];
    }
#ifndef __SANITIZE_ADDRESS__
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        assert_in_range((uintptr_t)p[i], (uintptr_t)pieces[N_PIECES - 10],
                        (uintptr_t)pieces[N_PIECES - 10] + 2 * sum + 65536);
#endif
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        free(p[i]);
}

static void what_was_there_stays(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PIECES; i += 10)
        pieces[i][0] = pieces[i][PIECE - 1] = (char)i;
    malloc_close_gaps();
    malloc_close_gaps();
    for (size_t i = 0; i < N_PIECES; i += 10) {
        assert_int_equal(pieces[i][0], (char)i);
        assert_int_equal(pieces[i][PIECE - 1], (char)i);
        pieces[i] = realloc(pieces[i], 10 * PIECE);
        assert_non_null(pieces[i]);
        assert_int_equal(pieces[i][PIECE - 1], (char)i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_allocated_then_lies_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_there_stays, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
