/* SPDX-License-Identifier: MIT */
/* Variables in values: $(NAME), @(file), %(name). */
#include "conf/expand.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "conf-fixture.h"

/* Loads "x = VALUE" behind some definitions. */
static void load_value(struct fixture *f, const char *value)
{
    char text[1024];

    f->environ[0] = "HOME=/home/me";
    f->environ[1] = "EMPTY=";
    f->environ[2] = "REF=%(a)";
    fixture_write(f, "secret", "s3cret\n");
    fixture_write(f, "lines", "1\n2\n\n");
    fixture_write(f, "ref", "%(a)$(HOME)");
    (void)snprintf(text, sizeof(text),
                   "[uwsgi]\nx = %s\na = 5\na = 6\nb = %%(c)\nc = %%(a)%%(a)\nd = @(secret)\n"
                   "e = $(HOME)/e\nworkers = 7\n",
                   value);
    (void)!fixture_load_text(f, text);
}

static const struct {
    const char *value, *expanded;
} cases[] = {
    {"$(HOME)/x", "/home/me/x"},
    {"$(EMPTY)|", "|"},
    {"$(UNSET)", "$(UNSET)"},
    {"$(UNSET:-def)", "def"},
    {"$(UNSET-def)", "def"},
    {"$(UNSET:-)|", "|"},
    {"$(UNSET:-a:-b-c)", "a:-b-c"},
    {"$(UNSET:-f(x))", "f(x)"},
    {"$(UNSET:-$(HOME)/$(ALSO:-y))", "/home/me/y"},
    {"$(HOME:-def)", "/home/me"},
    {"$(EMPTY:-def)|", "|"}, /* it is set */
    {"$(HOME", "$(HOME"},
    {"$()", "$()"},
    {"$(NO NAME)", "$(NO NAME)"},
    {"$HOME $", "$HOME $"},
    {"@(secret)", "s3cret"},
    {"<@(lines)>", "<1\n2\n>"},
    {"@(file://secret)", "s3cret"},
    {"@", "@"},
    {"user@example.org", "user@example.org"},
    {"%(a)", "5"}, /* the first one */
    {"%(b)", "55"},
    {"%(d)-%(e)", "s3cret-/home/me/e"},
    {"%(workers)", "7"},
    {"%(nope)", "%(nope)"},
    {"%(a", "%(a"},
    {"%(a + workers * 2)", "24"},
    {"%(a ++)%(a --)", "64"},
    {"%(a workers)", "57"},
    {"%(5)", "%(5)"},
    {"$(REF)", "5"},        /* what a pass gives is seen by the next one */
    {"@(ref)", "5$(HOME)"}, /* and not by the one before */
    {"%%(a)", "5"},         /* as in uWSGI: %% ends when the file is read */
};

static void test_values(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        load_value(f, cases[i].value);
        assert_setting(f, "x", cases[i].expanded);
    }
}

static void test_undefined_is_warned_about(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fixture_load_text(f, "[uwsgi]\nx = %(nope)\ny = %(none + 1)\n"
                                          "log-format = %(method) %(x)\n"),
                     0);
    assert_int_equal(f->conf.warnings.n_items, 2);
    assert_string_equal(f->conf.warnings.items[0],
                        "app.ini:2: nothing is called 'nope', which %() in the value of 'x' refers "
                        "to");
    assert_string_equal(f->conf.warnings.items[1],
                        "app.ini:3: nothing is called 'none', which %() in the value of 'y' refers "
                        "to");
    assert_setting(f, "log-format", "%(method) %(nope)");
}

static const struct {
    const char *text, *message;
} refusals[] = {
    {"x = @(none)\n", "app.ini:2: @(): cannot read 'none': No such file or directory"},
    {"x = @(sym://x)\n", "app.ini:2: @(): 'sym://x': nothing that a configuration says loads code"},
    {"x = @(exec://exit 3)\n", "app.ini:2: @(): cannot read 'exec://exit 3': exited with code 3"},
    {"x = @()\n", "app.ini:2: @(): a file name is missing"},
    {"x = %(x)\n", "app.ini:2: %(x) refers to itself"},
    {"y = %(a)\na = %(b)\nb = %(a + 1)\n", "app.ini:4: %(a) refers to itself"},
    {"x = %(y + 1)\ny = 9223372036854775807\n",
     "app.ini:2: 9223372036854775807 + 1 does not fit in 64 bits"},
    {"x = %(y + 1)\ny = abc\n", "app.ini:2: 'abc' is not a number"},
    {"x = 1\ny = %(x +)\n", "app.ini:3: an operand is missing after '+'"},
};

static void test_refusals(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(refusals); i++)
        assert_refused(f, refusals[i].text, refusals[i].message);
    fixture_write_bytes(f, "nul", "a\0b", 3);
    assert_refused(f, "x = @(nul)\n", "app.ini:2: @(nul): there is a NUL byte in the file");
}

/* Writes @head, the letter y @len times, @rest. */
static void write_long(const struct fixture *f, const char *name, const char *head, size_t len,
                       const char *rest)
{
    struct buf text = {0};

    assert_int_equal(buf_printf(&text, "%s", head), 0);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(buf_append(&text, "y", 1), 0);
    assert_int_equal(buf_printf(&text, "%s", rest), 0);
    fixture_write_bytes(f, name, buf_at(&text), buf_len(&text));
    buf_done(&text);
}

static void test_limit(void **state)
{
    struct fixture *f = *state;

    write_long(f, "app.ini", "[uwsgi]\nx = ", VALUE_MAX_BYTES, "\ny = %(x)\nz = @(big)\n");
    write_long(f, "big", "", VALUE_MAX_BYTES, "");
    assert_int_equal(fixture_load(f, "app.ini", NULL), 0);
    assert_int_equal(strlen(conf_get(&f->conf, "y")), VALUE_MAX_BYTES);
    assert_int_equal(strlen(conf_get(&f->conf, "z")), VALUE_MAX_BYTES);

    write_long(f, "app.ini", "[uwsgi]\nx = ", VALUE_MAX_BYTES + 1, "\n");
    assert_int_equal(fixture_load(f, "app.ini", NULL), -E2BIG);
    assert_string_equal(f->err.text, "app.ini:2: the value is longer than 1 MiB");
    write_long(f, "app.ini", "[uwsgi]\nx = ", VALUE_MAX_BYTES / 2 + 1, "\n\ny = %(x)%(x)\n");
    assert_int_equal(fixture_load(f, "app.ini", NULL), -E2BIG);
    assert_string_equal(f->err.text, "app.ini:4: the value is longer than 1 MiB");
    write_long(f, "big", "", VALUE_MAX_BYTES + 1, "");
    assert_refused(f, "x = @(big)\n", "app.ini:2: @(): 'big' is longer than 1048576 bytes");
}

/* Doubling forty times is 2^40 letters; the limit stops it at 2^20. */
static void test_doubling(void **state)
{
    struct fixture *f = *state;
    char text[2048] = "[uwsgi]\nv0 = xx\n";

    for (int i = 1; i <= 40; i++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "v%d = %%(v%d)%%(v%d)\n",
                       i, i - 1, i - 1);
    assert_int_equal(fixture_load_text(f, text), -E2BIG);
    assert_string_equal(f->err.text, "app.ini:22: the value is longer than 1 MiB");
}

/* Each value refers to the next one, @n of them. */
static int load_chain(struct fixture *f, int n)
{
    char text[4096] = "[uwsgi]\n";

    for (int i = 1; i < n; i++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "v%d = %%(v%d)\n", i,
                       i + 1);
    (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "v%d = end\n", n);
    return fixture_load_text(f, text);
}

static void test_chain(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load_chain(f, 64), 0);
    assert_setting(f, "v1", "end");
    assert_int_equal(load_chain(f, 65), -ELOOP);
    assert_string_equal(f->err.text, "app.ini:65: more than 64 %() refer to each other");
}

/* A megabyte of opening parentheses: no recursion, no quadratic time. */
static void test_parentheses(void **state)
{
    static const char *const openings[] = {"$(", "@(", "%("};
    struct fixture *f = *state;

    for (size_t mark = 0; mark < COUNT_OF(openings); mark++) {
        struct buf text = {0};

        assert_int_equal(buf_printf(&text, "[uwsgi]\nx = "), 0);
        for (size_t i = 0; i < VALUE_MAX_BYTES / 2; i++)
            assert_int_equal(buf_append(&text, openings[mark], 2), 0);
        fixture_write_bytes(f, "app.ini", buf_at(&text), buf_len(&text));
        buf_done(&text);
        assert_int_equal(fixture_load(f, "app.ini", NULL), 0);
        assert_int_equal(strlen(conf_get(&f->conf, "x")), VALUE_MAX_BYTES);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_values),      TEST(test_undefined_is_warned_about),
        TEST(test_refusals),    TEST(test_limit),
        TEST(test_doubling),    TEST(test_chain),
        TEST(test_parentheses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
