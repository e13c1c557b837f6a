/* SPDX-License-Identifier: MIT */
/* A buffer against a model: what was appended and not consumed, in order. */
#include "base/buf.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

static void test_empty(void **state)
{
    struct buf b = {0};

    (void)state;
    assert_int_equal(buf_len(&b), 0);
    assert_int_equal(buf_append(&b, NULL, 0), 0);
    buf_consume(&b, 0);
    assert_int_equal(buf_len(&b), 0);
    buf_done(&b);
    buf_done(&b);
}

/* The stream of bytes 0, 1, 2 ... 255, 0 ... goes in and comes out in pieces of all sizes. */
static void test_stream(void **state)
{
    struct buf b = {0};
    uint8_t in = 0, out = 0;
    size_t len = 0, largest = 0;

    (void)state;
    for (size_t round = 0; round < 3000; round++) {
        char piece[700];
        size_t n_in = round * 7919 % sizeof(piece);
        size_t n_out = round * 104729 % 900;

        for (size_t i = 0; i < n_in; i++)
            piece[i] = (char)in++;
        assert_int_equal(buf_append(&b, piece, n_in), 0);
        len += n_in;
        largest = MAX(largest, len);

        n_out = MIN(n_out, len);
        for (size_t i = 0; i < n_out; i++)
            assert_int_equal((uint8_t)buf_at(&b)[i], out++);
        buf_consume(&b, n_out);
        len -= n_out;
        assert_int_equal(buf_len(&b), len);
    }
    assert_true(b.capacity <= 4 * largest + 256); /* it does not grow with what went through */
    buf_done(&b);
}

static void test_reserve(void **state)
{
    struct buf b = {0};

    (void)state;
    assert_int_equal(buf_append(&b, "head", 4), 0);
    buf_consume(&b, 2);
    assert_int_equal(buf_reserve(&b, 10000), 0);
    assert_true(b.capacity - b.end >= 10000);
    assert_memory_equal(buf_at(&b), "ad", 2);

    assert_int_equal(buf_reserve(&b, (size_t)-1), -ENOMEM);
    assert_int_equal(buf_reserve(&b, (size_t)-1 / 2), -ENOMEM);
    assert_int_equal(buf_len(&b), 2);
    assert_memory_equal(buf_at(&b), "ad", 2);
    buf_done(&b);
}

/* What is left reaches over the place that it would be moved to. */
static void test_overlap(void **state)
{
    struct buf b = {0};
    char piece[200];

    (void)state;
    for (size_t i = 0; i < sizeof(piece); i++)
        piece[i] = (char)i;
    assert_int_equal(buf_append(&b, piece, 200), 0);
    buf_consume(&b, 60);
    assert_int_equal(buf_append(&b, piece, 100), 0);
    assert_int_equal(buf_len(&b), 240);
    assert_memory_equal(buf_at(&b), piece + 60, 140);
    assert_memory_equal(buf_at(&b) + 140, piece, 100);
    buf_done(&b);
}

static void test_printf(void **state)
{
    struct buf b = {0};

    (void)state;
    for (int i = 0; i < 500; i++)
        assert_int_equal(buf_printf(&b, "%d;", i), 0);
    assert_memory_equal(buf_at(&b), "0;1;2;3;", 8);
    assert_int_equal(buf_len(&b), 10 * 2 + 90 * 3 + 400 * 4);
    assert_memory_equal(b.data + b.end - 4, "499;", 4);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),   cmocka_unit_test(test_stream),
        cmocka_unit_test(test_reserve), cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_printf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
