/* SPDX-License-Identifier: MIT */
/* From settings to structures, and back to a file. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "conf-fixture.h"
#include "conf/conf.h"
#include "conf/uwsgi-names.h"

static void test_defaults(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fixture_load_text(f, "[uwsgi]\n"), 0);
    assert_int_equal(fixture_apply(f), 0);
    assert_int_equal(sample.workers, 1);
    assert_int_equal(sample.size, 8192);
    assert_int_equal(sample.timeout_us, 30000000);
    assert_null(sample.module);
    assert_false(sample.master);
    assert_int_equal(sample.hooks.n_items, 1);
    assert_string_equal(sample.hooks.items[0], "none");
    assert_string_equal(fixture_warnings, "");
}

static void test_values(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fixture_load_text(f, "[uwsgi]\nmaster\nprocesses = 4\nworkers = %(processes "
                                          "* 2)\nsocket = :1\nuwsgi-socket = :2\nhook = a\n"
                                          "no-orphans = true\nset-ph = module=none\n"),
                     0);
    assert_int_equal(fixture_apply(f), 0);
    assert_string_equal(fixture_warnings, "");
    assert_true(sample.master);
    assert_int_equal(sample.workers, 8); /* the last one */
    assert_int_equal(sample.sockets.n_items, 2);
    assert_int_equal(sample.hooks.n_items, 1); /* a list that is said replaces the default */
    assert_string_equal(sample.hooks.items[0], "a");
    assert_null(sample.module); /* set-ph sets no option */
}

/* The options of another program are checked, but go nowhere. */
static void test_foreign_table(void **state)
{
    struct fixture *f = *state;
    const struct conf_table table = {.title = "Other",
                                     .options = sample_tables[0].options,
                                     .n_options = sample_tables[0].n_options};

    assert_int_equal(fixture_load_text(f, "[uwsgi]\nworkers = 4\n"), 0);
    assert_int_equal(conf_apply(&f->conf, &table, 1, NULL, &f->err), 0);
    assert_int_equal(fixture_load_text(f, "[uwsgi]\nworkers = 0\n"), 0);
    assert_int_equal(conf_apply(&f->conf, &table, 1, NULL, &f->err), -ERANGE);
    conf_release(&table, 1);
}

static const struct {
    const char *text, *message;
} refusals[] = {
    {"\nworkers = 0\n", "app.ini:3: workers: '0' is not a whole number from 1 to 1024"},
    {"workers\n", "app.ini:2: workers: the value is missing, a whole number from 1 to 1024"},
    {"no-orphans = off\n", "app.ini:2: no-orphans: 'off' is not possible: liege always does this"},
    {"spooler = x\n",
     "app.ini:2: 'spooler' is an option of uWSGI that liege does not have: remove it, or write "
     "'set-ph = spooler=...' if it is only a variable"},
    {"spooler = x\ny = %(spooler)\n",
     "app.ini:2: 'spooler' is an option of uWSGI that liege does not have: remove it, or write "
     "'set-ph = spooler=...' if it is only a variable"},
    {"set = cron=x\n",
     "app.ini:2: 'cron' is an option of uWSGI that liege does not have: remove it, or write "
     "'set-ph = cron=...' if it is only a variable"},
    {"strict\nwrokers = 4\n", "app.ini:3: unknown option 'wrokers' (did you mean 'workers'?)"},
};

static void test_refusals(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        char text[256];
        (void)snprintf(text, sizeof(text), "[uwsgi]\n%s", refusals[i].text);
        assert_int_equal(fixture_load_text(f, text), 0);
        assert_true(fixture_apply(f) < 0);
        assert_string_equal(f->err.text, refusals[i].message);
    }
}

static void test_unknown(void **state)
{
    struct fixture *f = *state;

    f->environ[0] = "UWSGI_WORKER=3";
    assert_int_equal(fixture_load_text(f, "[uwsgi]\nwrokers = 4\nmine = 1\nbase = %(mine)%(no)\n"
                                          "set = other=1\nset-ph = more=1\np = 3\nMaster = 1\n"
                                          "lazy_apps = 1\n\033 = x\n"),
                     0);
    assert_int_equal(fixture_apply(f), 0);
    assert_string_equal(
        fixture_warnings,
        "app.ini:4: nothing is called 'no', which %() in the value of 'base' refers to\n"
        "environment: unknown option 'worker' (did you mean 'workers'?)\n"
        "app.ini:2: unknown option 'wrokers' (did you mean 'workers'?)\n"
        "app.ini:4: unknown option 'base'\n"
        "app.ini:7: unknown option 'p'\n" /* no short options in files */
        "app.ini:8: unknown option 'Master' (did you mean 'master'?)\n"
        "app.ini:9: unknown option 'lazy_apps' (did you mean 'lazy-apps'?)\n"
        "app.ini:10: unknown option '?'\n");
    assert_int_equal(sample.workers, 1);
}

static void assert_shows(struct fixture *f, const char *text, const char *shown)
{
    struct buf out = {0};

    assert_int_equal(fixture_load_text(f, text), 0);
    assert_int_equal(conf_show(&f->conf, &out), 0);
    assert_int_equal(buf_append(&out, "", 1), 0);
    assert_string_equal(buf_at(&out), shown);
    buf_done(&out);
}

/* A loop may say as many as it likes. */
static void test_many_unknown(void **state)
{
    static const char last[] = "app.ini:3: more unknown options follow, which are not named\n";
    struct fixture *f = *state;

    assert_int_equal(fixture_load_text(f, "[uwsgi]\nfor-times = 101\nx = 1\nendfor\n"), 0);
    assert_int_equal(fixture_apply(f), 0);
    assert_memory_equal(fixture_warnings, "app.ini:3: unknown option 'x'\n", 30);
    assert_string_equal(fixture_warnings + strlen(fixture_warnings) - strlen(last), last);
    size_t n = strlen(fixture_warnings);
    assert_int_equal(
        fixture_load_text(f, "[uwsgi]\nfor-times = 150\nfor-times = 150\nx = 1\nendfor\nendfor\n"),
        0);
    assert_int_equal(fixture_apply(f), 0);
    assert_int_equal(strlen(fixture_warnings), n);
}

static void test_show(void **state)
{
    static const char shown[] = "[liege]\n"
                                "env = A=50%%\n"
                                "unenv = B\n"
                                "strict = yes\n"
                                "set-placeholder = mine=app\n"
                                "workers = 4\n"
                                "module = app:x %%d %(undefined) %%%(un) $(UNSET)\n"
                                "set-placeholder = ph=a = b\n"
                                "master = \n"
                                "odd%%key = 1\n"
                                "cron = 5\n" /* an option, if not ours: no variable */
                                "x = 5\n";
    struct fixture *f = *state;

    assert_shows(f,
                 "[uwsgi]\nstrict\nmine = %n\nworkers = 4\nenv = A=50%%\nunenv = B\n"
                 "module = %(mine):x %%d %(undefined) %%%(un) $(UNSET)\nset-ph = ph=a = b\n"
                 "master\nodd%%key = 1\ncron = 5\nx = %(cron)\n",
                 shown);
    assert_shows(f, shown, shown); /* what is shown loads again and gives the same */
}

static void test_show_what_does_not_fit(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "lines", "a\nb\n");
    fixture_write(f, "at", "@(lines)");
    assert_shows(f, "[uwsgi]\nmodule = @(lines)\nstats = @(at)\nset-ph = #k=v\nx = $(NO:- )\n",
                 "[liege]\n"
                 "; cannot be written as INI: module = a?b\n"
                 "; cannot be written as INI: stats = @(lines)\n"
                 "; cannot be written as INI: #k = v\n"
                 "; cannot be written as INI: x =  \n");
}

static void test_uwsgi_names(void **state)
{
    static const char *const known[] = {
        "abstract-socket", "spooler", "cheaper-busyness-max", "psgi", "wsgi-file",
        "zerg-server",     "master",  "fork-server"};
    static const char *const unknown[] = {"",        "a",        "zzz",      "base",
                                          "Spooler", "spooler ", "workers-x"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(known); i++)
        assert_true(uwsgi_has_option(known[i]));
    for (size_t i = 0; i < COUNT_OF(unknown); i++)
        assert_false(uwsgi_has_option(unknown[i]));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_values),
        TEST(test_foreign_table),
        TEST(test_refusals),
        TEST(test_unknown),
        TEST(test_many_unknown),
        TEST(test_show),
        TEST(test_show_what_does_not_fit),
        cmocka_unit_test(test_uwsgi_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
