/* SPDX-License-Identifier: MIT */
/* The command line and the environment as front ends. */
#include "conf/cmdline.h"

#include <errno.h>
#include <string.h>

#include "base/strv.h"
#include "conf-fixture.h"

static void assert_said(const struct fixture *f, size_t i, const char *key, const char *value)
{
    assert_string_equal(f->err.text, "");
    assert_true(i < f->conf.n_settings);
    assert_string_equal(f->conf.settings[i].key, key);
    assert_string_equal(f->conf.settings[i].value, value);
}

static void test_long(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fixture_load(f, "--workers", "4", "--processes=5", "--master", "--lazy=no",
                                  "--module=a=b", "--stats", "--stats=x", "--socket", "--", NULL),
                     0);
    assert_said(f, 0, "workers", "4");
    assert_said(f, 1, "processes", "5");
    assert_said(f, 2, "master", "");
    assert_said(f, 3, "lazy", "no");
    assert_said(f, 4, "module", "a=b");
    assert_said(f, 5, "stats", "");
    assert_said(f, 6, "stats", "x");
    assert_said(f, 7, "socket", "--"); /* a value is taken whatever it looks like */
    assert_int_equal(f->conf.n_settings, 8);
    assert_string_equal(f->conf.settings[0].file, "command line");
    assert_int_equal(f->conf.settings[0].line, 0);
}

static void test_prefixes(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fixture_load(f, "--work", "4", "--lazy", "--modu=x", NULL), 0);
    assert_said(f, 0, "workers", "4");
    assert_said(f, 1, "lazy", "");
    assert_said(f, 2, "module", "x");
    assert_int_equal(fixture_load(f, "--m", NULL), -EINVAL);
    assert_string_equal(f->err.text, "command line: '--m' may mean --master, --module, --mode");
    /* uWSGI has an option of exactly this name; it must not turn into another one */
    assert_int_equal(fixture_load(f, "--st", NULL), -ENOTSUP);
    assert_string_equal(f->err.text,
                        "command line: '--st' is an option of uWSGI that liege does not have");
    assert_int_equal(fixture_load(f, "--s", NULL), -EINVAL);
    assert_string_equal(f->err.text, "command line: '--s' may mean --size, --stats, --socket, "
                                     "--set, --set-placeholder, --strict, --show-config");
}

static void test_short(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fixture_load(f, "-p4", "-p", "5", "-Mzp6", "-C660", "-C", "-t", "-1", NULL),
                     0);
    assert_said(f, 0, "workers", "4");
    assert_said(f, 1, "workers", "5");
    assert_said(f, 2, "master", "");
    assert_said(f, 3, "lazy-apps", "");
    assert_said(f, 4, "workers", "6");
    assert_said(f, 5, "chmod-socket", "660");
    assert_said(f, 6, "chmod-socket", "");
    assert_said(f, 7, "timeout", "-1");
}

static void test_bare_words(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "a.ini", "[uwsgi]\nworkers = 2\n[x]\nworkers = 3\n");
    assert_int_equal(fixture_load(f, "app.py", "--workers", "1", "a.ini", "--master", "a.ini:x",
                                  "--", "./-x.psgi", NULL),
                     0);
    assert_said(f, 0, "module", "app.py");
    assert_said(f, 1, "workers", "1");
    assert_said(f, 2, "workers", "2");
    assert_said(f, 3, "master", "");
    assert_said(f, 4, "workers", "3");
    assert_said(f, 5, "stats", "./-x.psgi");
}

static const struct {
    const char *words[3];
    const char *message;
} refusals[] = {
    {{"--wrokers", "4"}, "command line: unknown option '--wrokers' (did you mean '--workers'?)"},
    {{"--chek"}, "command line: unknown option '--chek' (did you mean '--check'?)"},
    {{"--xyzzy=1"}, "command line: unknown option '--xyzzy'"},
    {{"--=1"}, "command line: unknown option '--=1'"},
    {{"--spooler", "x"},
     "command line: '--spooler' is an option of uWSGI that liege does not have"},
    {{"--if-env", "HOME"}, "command line: 'if-env' has no 'endif'"},
    {{"-Q"}, "command line: unknown option '-Q'"},
    {{"-M\x01"}, "command line: unknown option '-\\x01'"},
    {{"--workers"}, "command line: --workers: the value is missing, a whole number from 1 to 1024"},
    {{"-p"}, "command line: -p: the value is missing, a whole number from 1 to 1024"},
    {{"--ini"}, "command line: --ini: the value is missing, a text"},
    {{"app.rb"},
     "command line: 'app.rb' is no option, no configuration file (.ini .yaml .yml .json .js .xml) and no "
     "application (.py .wsgi .psgi)"},
    {{".py"},
     "command line: '.py' is no option, no configuration file (.ini .yaml .yml .json .js .xml) and no application "
     "(.py .wsgi .psgi)"},
    {{"a.yml"}, "command line: cannot read 'a.yml': No such file or directory"},
    {{"a.json:x"}, "command line: cannot read 'a.json': No such file or directory"},
    {{"call://x"}, "command line: 'call://x': nothing that a configuration says loads code"},
    {{"fd://x"}, "command line: cannot read 'fd://x': no number of a descriptor"},
};

static void test_refusals(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        const char *const *words = refusals[i].words;
        assert_true(fixture_load(f, words[0], words[1], words[2], NULL) < 0);
        assert_string_equal(f->err.text, refusals[i].message);
    }
}

static void test_no_arguments(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fixture_load(f, NULL), 0);
    assert_int_equal(f->conf.n_settings, 0);
}

static void test_long_name(void **state)
{
    struct fixture *f = *state;
    char word[5000] = "--";

    memset(word + 2, 'x', sizeof(word) - 3);
    assert_int_equal(fixture_load(f, word, NULL), -EINVAL);
    assert_true(str_starts(f->err.text, "command line: unknown option '--xxxx"));
    assert_true(str_ends(f->err.text, "...'"));
}

static void test_environment(void **state)
{
    static const char *const environ_[] = {
        "LIEGE_WORKERS=4",
        "UWSGI_WORKERS=2",
        "UWSGI_LAZY_APPS=",
        "UWSGI_EMPEROR_FD=3",
        "LIEGE_EMPEROR_FD=3",
        "UWSGI_VASSAL_NAME=x",
        "UWSGI_VASSALS_DIR=/x",
        "LIEGE_STATUS_FD=5",
        "UWSGI_RELOADS=1",
        "UWSGI_ORIGINAL_PROC_NAME=x",
        "LIEGE_=x",
        "LIEGEX=1",
        "UWSGI_INI=a.ini",
        "LIEGE_FOO_BAR=1",
        "UWSGI_VERSION=2.0.21",
    };
    struct fixture *f = *state;

    memcpy(f->environ, environ_, sizeof(environ_));
    fixture_write(f, "a.ini", "[uwsgi]\nfrom = %n\n");
    assert_int_equal(fixture_load(f, "--workers", "8", NULL), 0);
    assert_said(f, 0, "workers", "2");
    assert_said(f, 1, "lazy-apps", "");
    assert_said(f, 2, "from", "a");
    assert_said(f, 3, "workers", "4"); /* our own name counts more than uWSGI's */
    assert_said(f, 4, "foo-bar", "1");
    assert_said(f, 5, "workers", "8"); /* and the command line more than both */
    assert_int_equal(f->conf.n_settings, 6);
    assert_string_equal(f->conf.settings[0].file, "environment");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_long),     TEST(test_prefixes),     TEST(test_short),     TEST(test_bare_words),
        TEST(test_refusals), TEST(test_no_arguments), TEST(test_long_name), TEST(test_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
