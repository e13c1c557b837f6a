/* SPDX-License-Identifier: MIT */
/* Options that a configuration declares. */
#include "conf/declare.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf-fixture.h"

#define SITE "declare-option = site=socket=$1;module=$2.wsgi;master\n"

static const struct {
    const char *text, *settings;
} cases[] = {
    {SITE "site = :80 shop\n", "socket=:80;module=shop.wsgi;master=;"},
    {SITE "site = :80 a\nsite =  :81\tb c \n",
     "socket=:80;module=a.wsgi;master=;socket=:81;module=b.wsgi;master=;"},
    {"declare-option = quick = workers = 2 ; lazy ; \nquick = true\n", "workers=2;lazy=;"},
    {"declare-option2 = a=x$1$2=$2-$1\na = p q\n", "xpq=q-p;"},
    {"declare-option = a=x=$10$1$0$\na = 1 2 3 4 5 6 7 8 9 z\n", "x=z1$0$;"},
    {"declare-option = a=x=$1\ndeclare-option = b=a=<$1>;a=$2\nb = p q\n", "x=<p>;x=q;"},
    {"declare-option = a=x=%(y)\ny = 1\na = \n", "y=1;x=1;"},
    {"declare-option = a=if-env=HOME;x=$1;endif\na = 1\n", "x=1;"},
    {"declare-option = a=set-ph=v=$1\nset = a=7\nx = %(v)\n", "v=7;x=7;"},
    {"declare-option = a=x=$1\nfor = 1 2\na = %(_)\nendfor\n", "x=1;x=2;"},
    {"set-ph = a=1\ndeclare-option = a=x=1\n", "a=1;"},
};

static void test_cases(void **state)
{
    struct fixture *f = *state;
    char text[512];

    f->environ[0] = "HOME=home";
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        (void)snprintf(text, sizeof(text), "[uwsgi]\n%s", cases[i].text);
        if (fixture_load_text(f, text) < 0)
            fail_msg("%s: %s", cases[i].text, f->err.text);
        assert_settings(f, cases[i].settings);
    }
}

static void test_places_and_command_line(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "app.ini",
                  "[uwsgi]\n" SITE "declare-option = fast=workers=4\n\nsite = :80 a\n");
    assert_int_equal(fixture_load(f, "app.ini", "--fast", "--site", ":81 b", "--site=:82 c", NULL),
                     0);
    assert_settings(f,
                    "socket=:80;module=a.wsgi;master=;workers=4;socket=:81;module=b.wsgi;master=;"
                    "socket=:82;module=c.wsgi;master=;");
    assert_int_equal(f->conf.settings[1].line, 5);
    assert_int_equal(fixture_load(f, "app.ini", "--site", NULL), -EINVAL);
    assert_string_equal(f->err.text, "command line: --site: the value is missing");
    assert_int_equal(fixture_load(f, "--site", "x", "app.ini", NULL), -EINVAL);
    assert_string_equal(f->err.text,
                        "command line: unknown option '--site' (did you mean '--size'?)");
}

static const struct {
    const char *text, *message;
} refusals[] = {
    {"declare-option = a\n",
     "app.ini:2: declare-option: 'a' is not NAME=OPTION=VALUE;OPTION=VALUE..."},
    {"declare-option = =x=1\n",
     "app.ini:2: declare-option: '=x=1' is not NAME=OPTION=VALUE;OPTION=VALUE..."},
    {"declare-option = workers=x=1\n", "app.ini:2: declare-option: 'workers' is an option already"},
    {"declare-option = if-env=x=1\n", "app.ini:2: declare-option: 'if-env' is an option already"},
    {"declare-option = spooler=x=1\n", "app.ini:2: declare-option: 'spooler' is an option already"},
    {"declare-option = a=x=1\ndeclare-option = a=x=1\n",
     "app.ini:3: declare-option: 'a' is declared already"},
    {SITE "\nsite = :80\n", "app.ini:4: site: $2 is wanted, and the value has 1 words"},
    {"declare-option = a=a=1\na = 1\n",
     "app.ini:3: a: 'a' stands for options that are declared more than 16 deep"},
    {"declare-option = a=blacklist=x\na = 1\nx = 1\n",
     "app.ini:4: 'x' is forbidden by the blacklist at app.ini:3"},
    {"declare-option = a=x=1\nwhitelist = a\na = 1\n",
     "app.ini:4: 'x' is forbidden by the whitelist at app.ini:3"},
    {"declare-option = a=x;x;x;x;x;x;x;x;x;x\ndeclare-option = b=a;a;a;a;a;a;a;a;a;a\n"
     "declare-option = c=b;b;b;b;b;b;b;b;b;b\ndeclare-option = d=c;c;c;c;c;c;c;c;c;c\n"
     "declare-option = e=d;d;d;d;d;d;d;d;d;d\ne = 1\n",
     "app.ini:7: blocks and declared options make more than 100000 lines"},
};

static void test_refusals(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(refusals); i++)
        assert_refused(f, refusals[i].text, refusals[i].message);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_cases),
        TEST(test_places_and_command_line),
        TEST(test_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
