/* SPDX-License-Identifier: MIT */
/* Sentences for operators: the code comes back, the text says where and why, and is never longer
 * than its room. */
#include "base/errmsg.h"

#include <errno.h>
#include <string.h>

#include "unit.h"

static void test_texts(void **state)
{
    struct errmsg err = {""};

    (void)state;
    assert_int_equal(errmsg_set(&err, -EINVAL, "%s is no %d", "x", 3), -EINVAL);
    assert_string_equal(err.text, "x is no 3");
    assert_int_equal(errmsg_prefix(&err, -EINVAL, "app.ini:%d", 7), -EINVAL);
    assert_string_equal(err.text, "app.ini:7: x is no 3");
    assert_int_equal(errmsg_set_errno(&err, -ENOENT, "cannot open %s", "f"), -ENOENT);
    assert_string_equal(err.text, "cannot open f: No such file or directory");
}

/* A caller that wants no sentence passes NULL. */
static void test_null(void **state)
{
    (void)state;
    assert_int_equal(errmsg_set(NULL, -1, "x"), -1);
    assert_int_equal(errmsg_set_errno(NULL, -2, "x"), -2);
    assert_int_equal(errmsg_prefix(NULL, -3, "x"), -3);
}

static void test_long_texts(void **state)
{
    char text[3000];
    struct errmsg err = {""};

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void)errmsg_set(&err, -1, "%s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    (void)errmsg_prefix(&err, -1, "f");
    assert_memory_equal(err.text, "f: xx", 5);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    (void)errmsg_prefix(&err, -1, "%s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
    (void)errmsg_set_errno(&err, -ENOENT, "%s", text);
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_null),
        cmocka_unit_test(test_long_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
