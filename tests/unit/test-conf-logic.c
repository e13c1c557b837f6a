/* SPDX-License-Identifier: MIT */
/* Blocks: what each keyword asks, loops, nesting, lists of options, and what is refused. */
#include "conf/logic.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/strv.h"
#include "conf-fixture.h"
#include "conf/logic-word.h"

static void test_every_row_is_a_word(void **state)
{
    (void)state;
    for (size_t i = 0; i < conf_logic_table.n_options; i++) {
        const struct liege_option *row = &conf_logic_table.options[i];
        const struct logic_word *word = logic_find_word(row->name);

        assert_non_null(word);
        assert_string_equal(word->name, row->name);
        assert_non_null(logic_find_word(word->end));
        assert_int_equal(logic_find_word(word->end)->role, LOGIC_END);
        assert_int_equal(word->evaluate == NULL, word->role >= LOGIC_ELSE);
    }
    assert_ptr_equal(logic_find_word("end"), logic_find_word("endif"));
    assert_ptr_equal(logic_find_word("end-if"), logic_find_word("endif"));
    assert_ptr_equal(logic_find_word("end-for"), logic_find_word("endfor"));
    assert_ptr_equal(logic_find_word("ifdir"), logic_find_word("if-directory"));
    assert_null(logic_find_word("master"));
}

/* Lines between "[uwsgi]" and the end, and the settings that they make. */
static const struct {
    const char *text, *settings;
} cases[] = {
    {"for = a b\nx = %(_)\nendfor\ny = 1\n", "x=a;x=b;y=1;"},
    {"for = a b\nx = %(_)\ny = <%(_)%(_)>\nend-for\n", "x=a;y=<aa>;x=b;y=<bb>;"},
    {"for = a b\nk%(_) = 1\nend-for\n", "ka=1;kb=1;"},
    {"for = \nx = %(_)\nendfor\n", ""},
    {"for-times = 3\nsocket = :300%(_)\nendfor\n", "socket=:3001;socket=:3002;socket=:3003;"},
    {"for-times = 0\nx = 1\nendfor\n", ""},
    {"for-readline = lines\nx = %(_)\nendfor\n", "x=one;x=;x=two words;"},
    {"for-glob = *.txt\nx = %(_)\nendfor\n", "x=a.txt;x=b.txt;"},
    {"for-glob = dir/*\nx = %(_)\nendfor\n", "x=dir/c;"},
    {"for-glob = none*\nx = %(_)\nendfor\n", ""},
    {"for = 1 2\nfor = a b\nx = %(_)\nendfor\ny = %(_)\nendfor\n", "x=a;x=b;y=1;x=a;x=b;y=2;"},
    {"for = 1 2\nfor = \nx = %(_)\nif-env = HOME\nelse\nendif\nendfor\ny = %(_)\nendfor\n",
     "y=1;y=2;"},
    {"for = 1 2\nfor-times = %(_)\nfor = a b\nx%(_) = 1\nendfor\nendfor\nendfor\n",
     "xa=1;xb=1;xa=1;xb=1;xa=1;xb=1;"},
    {"for = 1 2\nif-env = NONE\nfor = a b\nx = %(_)\nendfor\nelse\nfor = c\nx = %(_)\nendfor\n"
     "y = %(_)\nendif\nendfor\n",
     "x=c;y=1;x=c;y=2;"},
    {"for = 1 2\ninclude = loop.tpl\nendfor\n", "n=1;x=a;x=b;n=2;x=a;x=b;"},
    {"list = a b\nfor = %(list) $(HOME)\nx = %(_)\nendfor\n", "list=a b;x=a;x=b;x=home;"},
    {"for = a b\nif-env = %(_)\nhas = %(_)\nelse\nhas-not = %(_)\nendif\nendfor\n",
     "has=1;has-not=b;"},
    {"if-env = HOME\nx = %(_)\nfor = a b\ny = %(_)\nendfor\nz = %(_)\nendif\n",
     "x=home;y=a;y=b;z=home;"},
    {"for = a\nset-ph = v=%(_)\nset = workers=2\nendfor\nx = %(v)\n", "v=a;workers=2;x=a;"},
    {"for = p q\ninclude = %(_).tpl\nendfor\n", "name=p of p;name=q of q;"},

    {"if-env = HOME\nx = 1\nelse\nx = 2\nendif\ny = 3\n", "x=1;y=3;"},
    {"ifenv = NONE\nx = 1\nelse\nx = 2\nend-if\ny = 3\n", "x=2;y=3;"},
    {"if-env = HOME=home\nx = 1\nend\n", "x=1;"},
    {"if-env = HOME=other\nx = 1\nend\n", ""},
    {"if-env = EMPTY\nx = [%(_)]\nend\n", "x=[];"},
    {"if-not-env = NONE\nx = %(_)\nelse\nx = 2\nend\n", "x=NONE;"},
    {"if-not-env = HOME\nx = 1\nelse\nx = 2\nend\n", "x=2;"},
    {"ienv = NEW=1\nif-env = NEW\nx = %(_)\nend\n", "x=1;"},
    {"workers = 4\nif-opt = workers\nx = %(_)\nend\n", "workers=4;x=4;"},
    {"workers = 4\nif-opt = processes=4\nx = 1\nend\n", "workers=4;x=1;"},
    {"a = 4\nworkers = %(a)\nif-opt = workers=4\nx = 1\nend\n", "a=4;workers=4;x=1;"},
    {"workers = 4\nif-opt = workers=5\nx = 1\nend\nif-opt = threads\nx = 2\nend\n", "workers=4;"},
    {"if-not-opt = workers\nworkers = 1\nend\n", "workers=1;"},
    {"socket = a\nsocket = b\nif-opt = socket=a\nx = 1\nend\n", "socket=a;socket=b;x=1;"},
    {"set-ph = v=1\nif-opt = v\nx = 1\nend\n", "v=1;x=1;"},
    {"if-exists = a.txt\nx = %(_)\nend\nifexists = none\nx = 2\nend\n", "x=a.txt;"},
    {"if-exists = dir\nx = 1\nend\nif-exists = file://dir/c\ny = 1\nend\n", "x=1;y=1;"},
    {"if-not-exists = none\nx = %(_)\nend\n", "x=none;"},
    {"if-file = a.txt\nx = 1\nend\nif-file = dir\nx = 2\nend\n", "x=1;"},
    {"if-dir = a.txt\nx = 1\nend\nif-directory = dir\nx = 2\nend\nifdir = dir\nx = 3\nend\n",
     "x=2;x=3;"},
    {"if-not-file = dir\nx = 1\nend\nif-not-dir = dir\nx = 2\nend\n", "x=1;"},
    {"if-plugin = python\nx = %(_)\nend\nifplugin = rack\nx = 2\nend\n", "x=python;"},
    {"if-not-plugin = python\nx = 1\nelse\nx = 2\nend\n", "x=2;"},
    {"if-reload\nx = 1\nelse\nx = 2\nend\n", "x=2;"},
    {"if-not-reload = true\nx = 1\nend\n", "x=1;"},
    {"if-hostname = %h\nx = 1\nend\nif-not-hostname = %h\nx = 2\nend\n", "x=1;"},
    {"if-hostname = no.such.host\nx = 1\nend\nif-not-hostname = no.such.host\nx = 2\nend\n",
     "x=2;"},
    {"if-hostname-match = ^.\\S+$\nx = 1\nend\nif-not-hostname-match = ^\\s\nx = 2\nend\n",
     "x=1;x=2;"},
    /* nothing of what does not count is looked at */
    {"if-env = NONE\ninclude = none.ini\nfor-times = many\nx = %(_)\nendfor\nif-env = HOME\nx = 1\n"
     "else\nx = 2\nendif\nelse\nx = 3\nendif\n",
     "x=3;"},
    {"if-env = HOME\nif-env = NONE\nx = 1\nelse\nx = 2\nend\nelse\nif-env = HOME\nx = 3\nelse\n"
     "x = 4\nend\nend\n",
     "x=2;"},
    {"x = %(_) %(_\n", "x=%(_) %(_;"},

    {"whitelist = workers x\nx = 1\nprocesses = 2\nif-env = HOME\nx = 2\nend\nend-whitelist\ny = 1\n",
     "x=1;processes=2;x=2;y=1;"},
    {"blacklist = workers\nx = 1\nend-blacklist\nworkers = 1\n", "x=1;workers=1;"},
};

static void prepare(struct fixture *f)
{
    char path[128];

    f->environ[0] = "HOME=home";
    f->environ[1] = "a=1";
    f->environ[2] = "EMPTY=";
    fixture_write(f, "lines", "one\n\r\ntwo words");
    fixture_write(f, "b.txt", "");
    fixture_write(f, "a.txt", "");
    fixture_write(f, "p.tpl", "[uwsgi]\nname = %n of %(_)\n");
    fixture_write(f, "q.tpl", "[uwsgi]\nname = %n of %(_)\n");
    fixture_write(f, "loop.tpl", "[uwsgi]\nset-ph = n=%(_)\nfor = a b\nx = %(_)\nendfor\n");
    fixture_write(f, "open.tpl", "[uwsgi]\nif-env = HOME\n");
    fixture_write(f, "close.tpl", "[uwsgi]\nend-whitelist\n");
    fixture_write(f, "tenant.tpl", "[uwsgi]\nworkers = 100\n");
    (void)snprintf(path, sizeof(path), "%s/dir", f->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    fixture_write(f, "dir/c", "");
}

static void test_cases(void **state)
{
    struct fixture *f = *state;
    char text[1024];

    prepare(f);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        (void)snprintf(text, sizeof(text), "[uwsgi]\n%s", cases[i].text);
        if (fixture_load_text(f, text) < 0)
            fail_msg("%s: %s", cases[i].text, f->err.text);
        assert_settings(f, cases[i].settings);
    }
}

static void test_reload(void **state)
{
    struct fixture *f = *state;

    f->is_reload = true;
    assert_int_equal(fixture_load_text(f, "[uwsgi]\nif-reload\nx = 1\nelse\nx = 2\nend\n"), 0);
    assert_settings(f, "x=1;");
}

static void test_other_front_ends(void **state)
{
    struct fixture *f = *state;

    f->environ[0] = "HOME=home";
    fixture_write(f, "a.yml",
                  "uwsgi:\n  for: a b\n  x: '%(_)'\n  endfor:\n  if-env: NONE\n"
                  "  y: 1\n  else: true\n  y: 2\n  endif: ''\n");
    assert_int_equal(fixture_load(f, "a.yml", NULL), 0);
    assert_settings(f, "x=a;x=b;y=2;");
    fixture_write(f, "a.json",
                  "{\"uwsgi\": {\"for-times\": 2, \"x\": [\"%(_)\", \"z\"], \"endfor\": true,"
                  "\"if-env\": \"NONE\", \"y\": 1, \"else\": true, \"y\": 2, \"endif\": true}}");
    assert_int_equal(fixture_load(f, "a.json", NULL), 0);
    assert_settings(f, "x=1;x=z;x=2;x=z;y=2;");
    fixture_write(f, "a.xml",
                  "<uwsgi><if-env>HOME</if-env><x>%(_)</x><else/><x>2</x><endif/>"
                  "</uwsgi>");
    assert_int_equal(fixture_load(f, "a.xml", NULL), 0);
    assert_settings(f, "x=home;");
    assert_int_equal(fixture_load(f, "--for", "1 2", "--socket", "%(_)", "--endfor", "--if-env",
                                  "NONE", "--workers=2", "--endif", NULL),
                     0);
    assert_settings(f, "socket=1;socket=2;");
    f->environ[1] = "UWSGI_IF_ENV=HOME";
    assert_int_equal(fixture_load(f, "--endif", NULL), -EINVAL);
    assert_string_equal(f->err.text, "environment: 'if-env' has no 'endif'");
}

static const struct {
    const char *text, *message;
} refusals[] = {
    {"x = 1\nif-env = HOME\nx = 2\n", "app.ini:3: 'if-env' has no 'endif'"},
    {"for = 1 2\nfor = a\nx = 2\nendfor\n", "app.ini:2: 'for' has no 'endfor'"},
    {"if-env = NONE\nfor = a\nendif\n",
     "app.ini:4: 'endif' does not belong to 'for' at app.ini:3, which wants 'endfor'"},
    {"for = a\nif-env = A\nendfor\n",
     "app.ini:4: 'endfor' does not belong to 'if-env' at app.ini:3, which wants 'endif'"},
    {"else\n", "app.ini:2: there is no block that 'else' belongs to"},
    {"end\n", "app.ini:2: there is no block that 'end' belongs to"},
    {"for = a\nelse\n", "app.ini:3: 'else' does not belong to 'for' at app.ini:2, which wants "
                        "'endfor'"},
    {"if-env = HOME\nelse\nelse\n", "app.ini:4: a second 'else' of 'if-env' at app.ini:2"},
    {"include = open.tpl\nendif\n", "open.tpl:2: 'if-env' has no 'endif'"},
    {"whitelist = include\ninclude = close.tpl\n",
     "close.tpl:2: there is no block that 'end-whitelist' belongs to"},
    {"whitelist = include\ninclude = tenant.tpl\nend-whitelist\n",
     "tenant.tpl:2: 'workers' is forbidden by the whitelist at app.ini:2"},
    {"blacklist = processes\nset = workers=2\n",
     "app.ini:3: 'workers' is forbidden by the blacklist at app.ini:2"},
    {"whitelist = inherit\ninherit = tenant.tpl\n",
     "app.ini:3: 'inherit' is forbidden by the whitelist at app.ini:2"},
    {"for = a\nworkers = 1\nblacklist = x\nx = %(_)\nend-blacklist\nendfor\n",
     "app.ini:5: 'x' is forbidden by the blacklist at app.ini:4"},
    {"for-times = many\nendfor\n",
     "app.ini:2: for-times: 'many' is not a whole number from 0 to 100000"},
    {"for-times = -1\nendfor\n",
     "app.ini:2: for-times: '-1' is not a whole number from 0 to 100000"},
    {"for-times = 100001\nendfor\n",
     "app.ini:2: for-times: '100001' is not a whole number from 0 to 100000"},
    {"for-times = 1000\nfor-times = 98\nx = 1\nendfor\nendfor\n",
     "app.ini:4: blocks and declared options make more than 100000 lines"},
    {"for-times = 1000\nfor-times = 1000\nendfor\nendfor\n",
     "app.ini:3: blocks and declared options make more than 100000 lines"},
    {"for-times = 80\nfor-times = 100\nx = 1\nendfor\nendfor\nfor-times = 200\nif-opt = $(HOME)\n"
     "endif\nendfor\n",
     "app.ini:8: blocks and declared options make more than 100000 lines"},
    {"for-readline = none\nendfor\n", "app.ini:2: cannot read 'none': No such file or directory"},
    {"if-exists = http://x\nend\n", "app.ini:2: if-exists: 'http://x' is not the path of a file"},
    {"if-file\nend\n", "app.ini:2: if-file: '' is not the path of a file"},
    {"if-hostname-match = a(\nend\n", "app.ini:2: if-hostname-match: 'a(' is not a regular "
                                      "expression: missing closing parenthesis, at character 3"},
    {"if-env = %(x\nx = 1\nfor = %(y)\nif-opt = a\n", "app.ini:5: 'if-opt' has no 'endif'"},
};

static void test_refusals(void **state)
{
    struct fixture *f = *state;

    prepare(f);
    for (size_t i = 0; i < COUNT_OF(refusals); i++)
        assert_refused(f, refusals[i].text, refusals[i].message);
}

/* @n blocks in each other, closed again. */
static void nest(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        strcat(text, i % 2 ? "if-env = HOME\n" : "for = a\n");
    strcat(text, "x = 1\n");
    for (size_t i = n; i > 0; i--)
        strcat(text, (i - 1) % 2 ? "endif\n" : "endfor\n");
}

static void test_nesting(void **state)
{
    struct fixture *f = *state;
    char text[2048] = "[uwsgi]\n", deeper[2048] = "";

    f->environ[0] = "HOME=home";
    nest(text, LOGIC_NESTING_MAX);
    assert_int_equal(fixture_load_text(f, text), 0);
    assert_settings(f, "x=1;");
    nest(deeper, LOGIC_NESTING_MAX + 1);
    assert_refused(f, deeper, "app.ini:34: blocks are nested more than 32 deep");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_a_word),
        TEST(test_cases),
        TEST(test_reload),
        TEST(test_other_front_ends),
        TEST(test_refusals),
        TEST(test_nesting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
