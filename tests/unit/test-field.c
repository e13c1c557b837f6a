/* SPDX-License-Identifier: MIT */
#include "http/field.h"

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

static struct liege_str str(const char *text)
{
    return http_str(text, strlen(text));
}

/* The name is found in any case, and nothing that only looks like it. */
static void check_id(enum liege_field_id id)
{
    const char *name = http_field_name(id);
    size_t len = strlen(name);
    char other[64] = "";

    assert_int_equal(http_field_id(name, len), id);
    for (size_t i = 0; i < len; i++)
        other[i] = (char)toupper((unsigned char)name[i]);
    assert_int_equal(http_field_id(other, len), id);
    assert_int_not_equal(http_field_id(name, len - 1), id);
    other[len] = 'x';
    assert_int_not_equal(http_field_id(other, len + 1), id);
    for (size_t i = 0; i < len; i++) {
        char kept = other[i];
        other[i] = kept == '-' ? '_' : '-';
        assert_int_not_equal(http_field_id(other, len), id);
        other[i] = kept;
    }
}

static void test_ids(void **state)
{
    (void)state;
    for (int id = LIEGE_FIELD_OTHER + 1; id < LIEGE_FIELD_COUNT; id++)
        check_id((enum liege_field_id)id);
    assert_int_equal(http_field_id("", 0), LIEGE_FIELD_OTHER);
    assert_int_equal(http_field_id("x-unknown", 9), LIEGE_FIELD_OTHER);
    for (size_t len = 0; len < 100; len++) {
        char name[100];
        memset(name, 'a', sizeof(name));
        assert_int_equal(http_field_id(name, len), LIEGE_FIELD_OTHER);
    }
}

static void test_keys(void **state)
{
    (void)state;
    for (int id = LIEGE_FIELD_OTHER + 1; id < LIEGE_FIELD_COUNT; id++) {
        struct liege_str name = str(http_field_name((enum liege_field_id)id));
        const char *key = http_field_key((enum liege_field_id)id);
        char made[64];

        assert_int_equal(http_field_make_key(name, made, sizeof(made)), name.len + 5);
        if (id == LIEGE_FIELD_CONTENT_LENGTH || id == LIEGE_FIELD_CONTENT_TYPE)
            assert_string_equal(made + 5, key);
        else
            assert_string_equal(made, key);
    }
}

static void test_make_key(void **state)
{
    char key[12];

    (void)state;
    assert_int_equal(http_field_make_key(str("x-Y9"), key, sizeof(key)), 9);
    assert_string_equal(key, "HTTP_X_Y9");
    assert_int_equal(http_field_make_key(str("abcdef"), key, sizeof(key)), 11);
    assert_int_equal(http_field_make_key(str("abcdefg"), key, sizeof(key)), -ENAMETOOLONG);
}

static void test_length(void **state)
{
    static const struct {
        const char *text;
        int result;
        uint64_t length;
    } cases[] = {
        {"0", 0, 0},
        {"42", 0, 42},
        {"007", 0, 7},
        {"9223372036854775807", 0, INT64_MAX},
        {"9223372036854775808", -ERANGE, 0},
        {"18446744073709551617", -ERANGE, 0},
        {"00000000000000000001", -ERANGE, 0},
        {"", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"1_0", -EINVAL, 0},
        {"0x1", -EINVAL, 0},
        {"1,1", -EINVAL, 0},
        {"\xb2", -EINVAL, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t n = 99;
        assert_int_equal(http_length_parse(str(cases[i].text), &n), cases[i].result);
        assert_int_equal(n, cases[i].result == 0 ? cases[i].length : 99);
    }
}

static void test_list(void **state)
{
    struct liege_str rest = str(" ,a,, b c\t,d,"), item = {0};

    (void)state;
    assert_true(http_list_next(&rest, &item));
    assert_true(item.len == 1 && *item.data == 'a');
    assert_true(http_list_next(&rest, &item));
    assert_true(item.len == 3 && memcmp(item.data, "b c", 3) == 0);
    assert_true(http_list_next(&rest, &item));
    assert_true(item.len == 1 && *item.data == 'd');
    assert_false(http_list_next(&rest, &item));

    assert_true(http_list_has(str("a, CLOSE"), "close"));
    assert_false(http_list_has(str("a, closed"), "close"));
    assert_false(http_list_has(str(""), "close"));
}

static struct liege_field field(const char *name, const char *value)
{
    return (struct liege_field){str(name), str(value), http_field_id(name, strlen(name))};
}

static void check(const struct liege_field *f, const char *name, const char *value)
{
    assert_int_equal(f->name.len, strlen(name));
    assert_memory_equal(f->name.data, name, f->name.len);
    assert_int_equal(f->value.len, strlen(value));
    assert_memory_equal(f->value.data, value, f->value.len);
}

static void test_merge(void **state)
{
    struct liege_field fields[] = {
        field("Accept", "a"),
        field("Content-Length", "1"),
        field("X_Forwarded_For", "evil"),
        field("x-forwarded-for", "1"),
        field("COOKIE", "a"),
        field("accept", ""),
        field("X-Forwarded-For", "2"),
        field("ax", "1"),
        field("pRoXy", "http://evil"),
        field("cookie", "b"),
        field("AX", "2"),
        field("Transfer-Encoding", "chunked"),
        field("Accept", "c"),
    };
    struct arena arena = {0};
    size_t n_dropped = 0;

    (void)state;
    assert_int_equal(http_fields_merge(fields, COUNT_OF(fields), &arena, &n_dropped), 4);
    assert_int_equal(n_dropped, 1);
    check(&fields[0], "Accept", "a, , c");
    check(&fields[1], "x-forwarded-for", "1, 2");
    check(&fields[2], "COOKIE", "a; b");
    check(&fields[3], "ax", "1, 2");
    arena_done(&arena);
}

/* Names whose bits in the filter collide are not taken for one. */
static void test_merge_collisions(void **state)
{
    static char names[26 * 26][8];
    static struct liege_field fields[26 * 26];
    struct arena arena = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        names[i][0] = 'x';
        names[i][1] = (char)('a' + i / 26);
        names[i][2] = (char)('a' + i % 26);
        names[i][3] = 'x';
        fields[i] = field(names[i], "1");
    }
    assert_int_equal(http_fields_merge(fields, COUNT_OF(fields), &arena, NULL), COUNT_OF(fields));
    assert_int_equal(http_fields_merge(fields, 0, &arena, NULL), 0);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_make_key),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_merge_collisions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
