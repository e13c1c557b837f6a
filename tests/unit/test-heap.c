/* SPDX-License-Identifier: MIT */
/* The heap of deadlines against a model: an array that says which are set, and for when. */
#include "loop/heap.h"

#include <stdlib.h>

#include "unit.h"

#define N_TIMERS 200

static struct loop_timer timers[N_TIMERS];
static uint32_t random_state;

static uint32_t random_below(uint32_t n)
{
    random_state = random_state * 1664525 + 1013904223;
    return (uint32_t)(((uint64_t)random_state * n) >> 32);
}

static void check_first(const struct heap *h)
{
    const struct loop_timer *first = heap_first(h);
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i < N_TIMERS; i++)
        if (loop_timer_is_set(&timers[i]))
            least = MIN(least, timers[i].at_us);
    assert_int_equal(first ? first->at_us : UINT64_MAX, least);
}

/* Many deadlines of few values, so that equal ones are common. */
static void put_random(struct heap *h, struct loop_timer *t)
{
    heap_remove(h, t);
    t->at_us = random_below(500);
    heap_put(h, t);
}

static void test_model(void **state)
{
    struct heap h = {0};

    (void)state;
    random_state = 1;
    for (int step = 0; step < 50000; step++) {
        struct loop_timer *t = &timers[random_below(N_TIMERS)];
        struct loop_timer *first = heap_first(&h);

        switch (random_below(4)) {
        case 0:
            heap_remove(&h, t); /* also when it is not set */
            assert_false(loop_timer_is_set(t));
            break;
        case 1:
            if (first)
                heap_remove(&h, first);
            break;
        default:
            put_random(&h, t);
            assert_true(loop_timer_is_set(t));
            break;
        }
        check_first(&h);
    }
    while (heap_first(&h))
        heap_remove(&h, heap_first(&h));
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* All out in order, after some in the middle were taken out. */
static void test_sorted(void **state)
{
    struct heap h = {0};
    uint64_t sorted[N_TIMERS];
    size_t n = 0;

    (void)state;
    random_state = 2;
    for (size_t i = 0; i < N_TIMERS; i++)
        put_random(&h, &timers[i]);
    for (size_t i = 0; i < N_TIMERS; i += 3)
        heap_remove(&h, &timers[i]);
    for (size_t i = 0; i < N_TIMERS; i++)
        if (loop_timer_is_set(&timers[i]))
            sorted[n++] = timers[i].at_us;
    qsort(sorted, n, sizeof(*sorted), compare);
    for (size_t i = 0; i < n; i++) {
        struct loop_timer *first = heap_first(&h);
        assert_int_equal(first->at_us, sorted[i]);
        heap_remove(&h, first);
    }
    assert_null(heap_first(&h));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_sorted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
