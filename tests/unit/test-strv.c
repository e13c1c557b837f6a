/* SPDX-License-Identifier: MIT */
/* Lists of strings, and how strings begin and end. */
#include "base/strv.h"

#include "unit.h"

static void test_lists(void **state)
{
    struct liege_list a = {0}, b = {0};
    char text[] = "one";

    (void)state;
    assert_true(strv_equal(&a, &b));
    assert_false(strv_contains(&a, ""));
    assert_int_equal(strv_append(&a, text), 0);
    text[0] = 'X'; /* the list has its own */
    assert_int_equal(strv_appendf(&a, "%s=%d", "two", 2), 0);
    assert_int_equal(strv_append(&a, ""), 0);
    assert_int_equal(a.n_items, 3);
    assert_string_equal(a.items[0], "one");
    assert_string_equal(a.items[1], "two=2");
    assert_string_equal(a.items[2], "");
    assert_null(a.items[3]); /* an argv */
    assert_true(strv_contains(&a, "one"));
    assert_true(strv_contains(&a, ""));
    assert_false(strv_contains(&a, "two"));
    strv_done(&a);
    assert_null(a.items);
    strv_done(&a);
}

static void test_equal(void **state)
{
    struct liege_list a = {0}, b = {0};

    (void)state;
    assert_int_equal(strv_append(&a, "x"), 0);
    assert_false(strv_equal(&a, &b));
    assert_int_equal(strv_append(&b, "y"), 0);
    assert_false(strv_equal(&a, &b));
    assert_int_equal(strv_append(&a, "y"), 0);
    assert_int_equal(strv_append(&b, "x"), 0);
    assert_false(strv_equal(&a, &b)); /* the order counts */
    strv_done(&b);
    assert_int_equal(strv_append(&b, "x"), 0);
    assert_int_equal(strv_append(&b, "y"), 0);
    assert_true(strv_equal(&a, &b));
    strv_done(&a);
    strv_done(&b);
}

static const struct {
    const char *text, *part;
    bool starts, ends;
} cases[] = {
    {"app.ini", "app", true, false},
    {"app.ini", ".ini", false, true},
    {"app", "app", true, true},
    {"app", "", true, true},
    {"", "", true, true},
    {"", "a", false, false},
    {"ap", "app", false, false},
    {"pp", "app", false, false},
    {"ini.app", "ini", true, false},
};

static void test_starts_and_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(str_starts(cases[i].text, cases[i].part), cases[i].starts);
        assert_int_equal(str_ends(cases[i].text, cases[i].part), cases[i].ends);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_starts_and_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
