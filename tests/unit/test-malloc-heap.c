/* SPDX-License-Identifier: MIT */
#include "base/malloc-heap.h"

#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/macro.h"
#include "unit.h"

#define N_PIECES 4000
#define PIECE    ((size_t)500)
#define LARGE    ((size_t)64 << 20) /* the C library never learns to keep that on the heap */

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

#ifndef __SANITIZE_ADDRESS__
static bool is_on_heap(size_t size)
{
    char *volatile p = malloc(size);
    const bool is = p < (char *)sbrk(0);

    UNIT_CHECK(p != NULL);
    free(p);
    return is;
}

static void keep(void *data)
{
    const bool kept = *(bool *)data;

    UNIT_CHECK(malloc_is_of_libc());
    UNIT_CHECK(!is_on_heap(LARGE));
    malloc_keep_on_heap();
    UNIT_CHECK(is_on_heap(LARGE) == kept);
    malloc_leave_heap();
    UNIT_CHECK(!is_on_heap(LARGE));
}

static void large_pieces_are_on_the_heap_meanwhile(void **state)
{
    bool kept = true;

    (void)state;
    assert_int_equal(unit_run_child(keep, &kept), 0);
}

static void who_has_said_where_they_are_is_obeyed(void **state)
{
    static const char *const variables[] = {"MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"};
    bool kept = false;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        assert_int_equal(setenv(variables[i], "glibc.malloc.mmap_threshold=65536", true), 0);
        assert_int_equal(unit_run_child(keep, &kept), 0);
        assert_int_equal(unsetenv(variables[i]), 0);
    }
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_allocated_then_lies_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_there_stays, set_up, tear_down),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(large_pieces_are_on_the_heap_meanwhile),
        cmocka_unit_test(who_has_said_where_they_are_is_obeyed),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
