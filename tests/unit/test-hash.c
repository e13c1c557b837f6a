/* SPDX-License-Identifier: MIT */
/* The table against a model: a plain array of which names are in it. */
#include "base/hash.h"

#include <errno.h>
#include <stdio.h>

#include "unit.h"

#define N_NAMES 500

static struct item {
    char name[24];
    bool in;
} items[N_NAMES];

static int set_up(void **state)
{
    (void)state;
    for (int i = 0; i < N_NAMES; i++) {
        (void)snprintf(items[i].name, sizeof(items[i].name), "vassal-%d.ini", i);
        items[i].in = false;
    }
    return 0;
}

static void check_all(const struct hash *h)
{
    size_t n_in = 0, n_walked = 0;

    for (int i = 0; i < N_NAMES; i++) {
        assert_ptr_equal(hash_get(h, items[i].name), items[i].in ? &items[i] : NULL);
        n_in += items[i].in;
    }
    size_t pos = 0;
    for (const struct item *it = hash_next(h, &pos); it; it = hash_next(h, &pos)) {
        assert_true(it->in);
        n_walked++;
    }
    assert_int_equal(n_walked, n_in);
}

/* Names come and go, many times more often than the table has slots: removed places are used again
 * and a search always ends. */
static void test_model(void **state)
{
    struct hash h = {0};
    uint32_t random = 1;

    (void)state;
    check_all(&h);
    for (int step = 0; step < 60000; step++) {
        random = random * 1664525 + 1013904223;
        struct item *it = &items[(random >> 8) % N_NAMES];

        if (random & 1 << 30) {
            assert_int_equal(hash_put(&h, it->name, it), it->in ? -EEXIST : 0);
            it->in = true;
        } else {
            assert_ptr_equal(hash_remove(&h, it->name), it->in ? it : NULL);
            it->in = false;
        }
        if (step % 5000 == 0)
            check_all(&h);
    }
    check_all(&h);
    assert_true(h.n_slots <= 4096);
    hash_done(&h);
    assert_null(hash_get(&h, items[0].name));
}

/* One name put and removed for ever takes no more room. */
static void test_churn(void **state)
{
    struct hash h = {0};

    (void)state;
    for (int i = 0; i < 10000; i++) {
        struct item *it = &items[i % N_NAMES];
        assert_int_equal(hash_put(&h, it->name, it), 0);
        assert_ptr_equal(hash_remove(&h, it->name), it);
    }
    assert_int_equal(h.n_slots, 16);
    hash_done(&h);
}

static void test_keys_are_compared(void **state)
{
    struct hash h = {0};
    char key[] = "app.ini";
    int a = 0, empty = 0;

    (void)state;
    assert_int_equal(hash_put(&h, "app.ini", &a), 0);
    assert_int_equal(hash_put(&h, key, &a), -EEXIST);
    assert_ptr_equal(hash_get(&h, key), &a);
    assert_null(hash_get(&h, ""));
    assert_int_equal(hash_put(&h, "", &empty), 0);
    assert_ptr_equal(hash_get(&h, ""), &empty);
    assert_ptr_equal(hash_remove(&h, ""), &empty);
    assert_null(hash_get(&h, "")); /* a removed place looks like this name, and is not */
    hash_done(&h);
}

static void test_remove_while_walking(void **state)
{
    struct hash h = {0};
    size_t pos = 0, n = 0;

    (void)state;
    for (int i = 0; i < N_NAMES; i++)
        assert_int_equal(hash_put(&h, items[i].name, &items[i]), 0);
    for (const struct item *it = hash_next(&h, &pos); it; it = hash_next(&h, &pos), n++)
        assert_ptr_equal(hash_remove(&h, it->name), it);
    assert_int_equal(n, N_NAMES);
    assert_int_equal(h.n_live, 0);
    hash_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_model, set_up),
        cmocka_unit_test_setup(test_churn, set_up),
        cmocka_unit_test(test_keys_are_compared),
        cmocka_unit_test_setup(test_remove_while_walking, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
