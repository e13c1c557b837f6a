/* SPDX-License-Identifier: MIT */
/* Memory of a request: alignment, large pieces, and what a reset keeps. */
#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#include "unit.h"

static void test_pieces(void **state)
{
    static const size_t sizes[] = {0, 1, 3, 8, 15, 16, 17, 4000, 4096, 5000, 100000, 1, 65536};
    struct arena a = {0};
    char *pieces[COUNT_OF(sizes)];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        pieces[i] = arena_alloc(&a, sizes[i]);
        assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
        memset(pieces[i], (int)i + 1, sizes[i]);
    }
    for (size_t i = 0; i < COUNT_OF(sizes); i++) /* none lies on another */
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(pieces[i][k], i + 1);
    arena_done(&a);
    assert_null(a.block);
}

static void test_dup(void **state)
{
    struct arena a = {0};

    (void)state;
    const char *copy = arena_dup(&a, "GET /index", 3);
    assert_string_equal(copy, "GET");
    assert_string_equal(arena_dup(&a, NULL, 0), "");
    assert_string_equal(copy, "GET");
    arena_done(&a);
}

/* The second request of a connection gets its memory where the first had it. */
static void test_reset_keeps_a_block(void **state)
{
    struct arena a = {0};

    (void)state;
    arena_reset(&a); /* nothing to do */
    (void)arena_alloc(&a, 1000);
    (void)arena_alloc(&a, 8000);
    const void *newest = a.block;
    arena_reset(&a);
    assert_ptr_equal(a.block, newest);
    (void)arena_alloc(&a, 8000);
    assert_ptr_equal(a.block, newest);
    arena_done(&a);
}

/* One request with a large head does not make the connection large for ever. */
static void test_reset_gives_large_blocks_back(void **state)
{
    struct arena a = {0};

    (void)state;
    (void)arena_alloc(&a, 1 << 20);
    arena_reset(&a);
    assert_null(a.block);
    assert_non_null(arena_alloc(&a, 1));
    arena_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_dup),
        cmocka_unit_test(test_reset_keeps_a_block),
        cmocka_unit_test(test_reset_gives_large_blocks_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
