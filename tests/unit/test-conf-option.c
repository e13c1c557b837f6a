/* SPDX-License-Identifier: MIT */
/* One value of each type: what is taken, what is refused, and in which words. */
#include "conf/option.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf-fixture.h"

static const struct liege_option *find(const char *name)
{
    return conf_find_option(sample_tables, 1, name, NULL);
}

static const struct {
    const char *name, *value;
    uint64_t number;
} good[] = {
    {"workers", "1", 1},
    {"workers", "1024", 1024},
    {"workers", "007", 7},
    {"threads", "3", 3},
    {"threads", "auto", 0},
    {"limit", "3", 3U << 20},
    {"limit", "512k", 512U << 10},
    {"size", "4096", 4096},
    {"size", "4k", 4096},
    {"size", "1G", 1ULL << 30},
    {"timeout", "1", 1000000},
    {"timeout", "2.5", 2500000},
    {"timeout", "1.000001", 1000001},
    {"timeout", "1500ms", 1500000},
    {"timeout", "2m", 120000000},
    {"timeout", "1d", 86400000000ULL},
    {"timeout", "0.5h", 1800000000ULL},
    {"delay", "0", 0},
    {"delay", "250", 250000},
    {"delay", "0.5", 500},
    {"delay", "2s", 2000000},
    {"chmod-socket", "660", 0660},
    {"chmod-socket", "0664", 0664},
    {"chmod-socket", "", 0666},
};

static void test_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        const struct liege_option *row = find(good[i].name);
        struct errmsg err = {""};

        assert_int_equal(option_set(row, &sample, good[i].value, &err), 0);
        assert_int_equal(*(uint64_t *)((char *)&sample + row->offset), good[i].number);
        assert_int_equal(option_set(row, NULL, good[i].value, &err), 0);
    }
    conf_release(sample_tables, 1);
}

static const struct {
    const char *name, *value;
    int result;
    const char *message;
} bad[] = {
    {"threads", "0", -ERANGE, "threads: '0' is not a whole number from 1 to 64, or auto"},
    {"threads", "Auto", -EINVAL, "threads: 'Auto' is not a whole number from 1 to 64, or auto"},
    {"limit", "2T", -ERANGE, "limit: '2T' is not a size from 0 to 1t (MiB, or with k, m, g or t)"},
    {"limit", "1x", -EINVAL, "limit: '1x' is not a size from 0 to 1t (MiB, or with k, m, g or t)"},
    {"workers", "auto", -EINVAL, "workers: 'auto' is not a whole number from 1 to 1024"},
    {"workers", "0", -ERANGE, "workers: '0' is not a whole number from 1 to 1024"},
    {"workers", "1025", -ERANGE, "workers: '1025' is not a whole number from 1 to 1024"},
    {"workers", "12abc", -EINVAL, "workers: '12abc' is not a whole number from 1 to 1024"},
    {"workers", "-1", -EINVAL, "workers: '-1' is not a whole number from 1 to 1024"},
    {"workers", "+1", -EINVAL, "workers: '+1' is not a whole number from 1 to 1024"},
    {"workers", " 1", -EINVAL, "workers: ' 1' is not a whole number from 1 to 1024"},
    {"workers", "1.5", -EINVAL, "workers: '1.5' is not a whole number from 1 to 1024"},
    {"workers", "18446744073709551617", -ERANGE,
     "workers: '18446744073709551617' is not a whole number from 1 to 1024"},
    {"workers", "", -EINVAL, "workers: the value is missing, a whole number from 1 to 1024"},
    {"workers", "\033[1m", -EINVAL, "workers: '?[1m' is not a whole number from 1 to 1024"},
    {"size", "1", -ERANGE, "size: '1' is not a size from 4k to 1g (bytes, or with k, m, g or t)"},
    {"size", "8kb", -EINVAL,
     "size: '8kb' is not a size from 4k to 1g (bytes, or with k, m, g or t)"},
    {"size", "99999999999t", -ERANGE,
     "size: '99999999999t' is not a size from 4k to 1g (bytes, or with k, m, g or t)"},
    {"timeout", "0.5", -ERANGE,
     "timeout: '0.5' is not a time from 1s to 1d (seconds, or with ms, s, m, h or d)"},
    {"timeout", "1y", -EINVAL,
     "timeout: '1y' is not a time from 1s to 1d (seconds, or with ms, s, m, h or d)"},
    {"timeout", "1.", -EINVAL,
     "timeout: '1.' is not a time from 1s to 1d (seconds, or with ms, s, m, h or d)"},
    {"timeout", "1.0000001", -EINVAL,
     "timeout: '1.0000001' is not a time from 1s to 1d (seconds, or with ms, s, m, h or d)"},
    {"timeout", "9999999999999999999d", -ERANGE,
     "timeout: '9999999999999999999d' is not a time from 1s to 1d (seconds, or with ms, s, m, h or "
     "d)"},
    {"delay", "x", -EINVAL, "delay: 'x' is not a time (milliseconds, or with ms, s, m, h or d)"},
    {"chmod-socket", "668", -EINVAL, "chmod-socket: '668' is not octal permissions from 0 to 7777"},
    {"chmod-socket", "77777", -ERANGE,
     "chmod-socket: '77777' is not octal permissions from 0 to 7777"},
    {"master", "maybe", -EINVAL, "master: 'maybe' is not yes or no"},
    {"master", "2", -EINVAL, "master: '2' is not yes or no"},
    {"module", "", -EINVAL, "module: the value is missing, a text"},
    {"socket", "", -EINVAL, "socket: the value is missing, a text"},
    {"no-orphans", "no", -EINVAL, "no-orphans: 'no' is not possible: liege always does this"},
    {"no-orphans", "false", -EINVAL, "no-orphans: 'false' is not possible: liege always does this"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const struct sample before = sample = (struct sample){.workers = 7};
        struct errmsg err = {""};

        assert_int_equal(option_set(find(bad[i].name), &sample, bad[i].value, &err), bad[i].result);
        assert_string_equal(err.text, bad[i].message);
        assert_memory_equal(&sample, &before, sizeof(sample));
        assert_int_equal(option_set(find(bad[i].name), NULL, bad[i].value, &err), bad[i].result);
    }
}

static void test_booleans(void **state)
{
    static const char *const yes[] = {"", "yes", "true", "on", "1", "True", "YES"};
    static const char *const no[] = {"no", "false", "off", "0", "No"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(yes); i++) {
        sample.master = false;
        assert_int_equal(option_set(find("master"), &sample, yes[i], NULL), 0);
        assert_true(sample.master);
        assert_int_equal(option_set(find("no-orphans"), &sample, yes[i], NULL), 0);
    }
    for (size_t i = 0; i < COUNT_OF(no); i++) {
        sample.master = true;
        assert_int_equal(option_set(find("master"), &sample, no[i], NULL), 0);
        assert_false(sample.master);
    }
}

static void test_texts(void **state)
{
    (void)state;
    assert_int_equal(option_set(find("module"), &sample, "a", NULL), 0);
    assert_int_equal(option_set(find("module"), &sample, "b", NULL), 0);
    assert_string_equal(sample.module, "b");
    assert_int_equal(option_set(find("stats"), &sample, "", NULL), 0);
    assert_string_equal(sample.stats, "");
    assert_int_equal(option_set(find("socket"), &sample, ":1", NULL), 0);
    assert_int_equal(option_set(find("socket"), &sample, ":2", NULL), 0);
    assert_int_equal(sample.sockets.n_items, 2);
    assert_string_equal(sample.sockets.items[1], ":2");
    conf_release(sample_tables, 1);
    assert_null(sample.module);
    assert_null(sample.sockets.items);
    assert_int_equal(sample.sockets.n_items, 0);
}

static int check_even(const char *value, char *reason, size_t size)
{
    if (strlen(value) % 2 == 0)
        return 0;
    (void)snprintf(reason, size, "'%s' has an odd length", value);
    return -EINVAL;
}

/* A row's own check comes first, and what it shows of a value is shown safely. */
static void test_checks(void **state)
{
    const struct liege_option row = {
        .name = "even", .type = LIEGE_OPTION_LIST, .check = check_even, .help = "even words"};
    struct liege_list list = {0};
    struct errmsg err = {""};

    (void)state;
    assert_int_equal(option_set(&row, &list, "ab", &err), 0);
    assert_int_equal(option_set(&row, &list, "a\x1b\n", &err), -EINVAL);
    assert_string_equal(err.text, "even: 'a?"
                                  "?' has an odd length");
    assert_int_equal(list.n_items, 1);
    assert_int_equal(option_set(&row, NULL, "abc", &err), -EINVAL);
    option_clear(&row, &list);
}

static void test_accepted(void **state)
{
    static const struct {
        struct liege_option row;
        const char *text;
    } rows[] = {
        {{.type = LIEGE_OPTION_UINT}, "a whole number"},
        {{.type = LIEGE_OPTION_UINT, .min = 2}, "a whole number of at least 2"},
        {{.type = LIEGE_OPTION_BYTES, .max = 1536},
         "a size from 0 to 1536 (bytes, or with k, m, g or t)"},
        {{.type = LIEGE_OPTION_SECONDS, .min = 1500000, .max = 5400000000},
         "a time from 1500ms to 90m (seconds, or with ms, s, m, h or d)"},
        {{.type = LIEGE_OPTION_SECONDS, .min = 1},
         "a time of at least 0.000001s (seconds, or with ms, s, m, h or d)"},
        {{.type = LIEGE_OPTION_STRING}, "a text"},
        {{.type = LIEGE_OPTION_LIST}, "a text"},
    };
    char text[128];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_string_equal(option_accepted(&rows[i].row, text, sizeof(text)), rows[i].text);
    for (int t = 0; t < LIEGE_OPTION_TYPE_COUNT; t++) { /* no hole in the table of types */
        const struct liege_option row = {.type = (enum liege_option_type)t};
        assert_true(strlen(option_accepted(&row, text, sizeof(text))) > 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),  cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_booleans), cmocka_unit_test(test_texts),
        cmocka_unit_test(test_accepted), cmocka_unit_test(test_checks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
