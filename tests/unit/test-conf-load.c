/* SPDX-License-Identifier: MIT */
/* Files: sections, includes, templates, the order of settings, meta options, refusals. */
#include "conf/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/strv.h"
#include "conf-fixture.h"
#include "conf/meta.h"

static void test_places(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fixture_load_text(f, "[uwsgi]\nmaster = true\n\nworkers = 4\n"), 0);
    assert_settings(f, "master=true;workers=4;");
    assert_string_equal(f->conf.settings[1].file, "app.ini");
    assert_int_equal(f->conf.settings[1].line, 4);
    assert_string_equal(f->conf.settings[1].option->name, "workers");
    assert_string_equal(f->conf.name, "app.ini");
    assert_int_equal(f->conf.files.n_items, 1);
    assert_true(f->conf.files.items[0][0] == '/');
    assert_true(str_ends(f->conf.files.items[0], "/app.ini"));
    assert_int_equal(f->conf.action, CONF_RUN);
    assert_false(f->conf.strict);
}

static void test_sections(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "app.ini",
                  "[emperor]\na = 1\n[uwsgi]\nb = 2\n[other]\nc = 3\nini = :third\n[liege]\nd = 4\n"
                  "[third]\ne = %x\n");
    assert_int_equal(fixture_load(f, "app.ini", NULL), 0);
    assert_settings(f, "b=2;d=4;");
    assert_int_equal(fixture_load(f, "--ini", "app.ini:other", NULL), 0);
    assert_settings(f, "c=3;e=third;");
    assert_int_equal(fixture_load(f, "app.ini", ":emperor", NULL), 0);
    assert_settings(f, "b=2;d=4;a=1;");
    assert_int_equal(fixture_load(f, "--ini", "file://app.ini:emperor", NULL), 0);
    assert_settings(f, "a=1;");
}

static void test_no_section(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fixture_load_text(f, "[emperor]\na = 1\n[x y]\n"), -EINVAL);
    assert_string_equal(f->err.text, "app.ini: there is no section [liege] or [uwsgi]; there are: "
                                     "[emperor] [x y]");
    assert_int_equal(fixture_load_text(f, "a = 1\n"), -EINVAL);
    assert_string_equal(f->err.text,
                        "app.ini: there is no section [liege] or [uwsgi]; there are: none");
    assert_int_equal(fixture_load(f, "app.ini:b", NULL), -EINVAL);
    assert_string_equal(f->err.text, "app.ini: there is no section [b]; there are: none");
    assert_int_equal(fixture_load(f, "--ini", ":b", NULL), -EINVAL);
    assert_string_equal(f->err.text, "command line: ':b': no file was read before");
}

static void test_include_order(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "part.ini", "[uwsgi]\nworkers = 2\nset = name=%n of %N\n");
    fixture_write(f, "tpl.ini", "[uwsgi]\nworkers = 9\nbase = tpl\nfrom = %n %N %(base) %X\n");
    assert_int_equal(fixture_load_text(f, "[uwsgi]\ninherit = tpl.ini\nbase = app\nworkers = 1\n"
                                          "include = part.ini\nworkers = 3\nx = %(from)\n"),
                     0);
    /* The template comes last, expanded like the rest; %(base) is the first one. */
    assert_settings(f,
                    "base=app;workers=1;workers=2;name=part of app;workers=3;x=tpl app app uwsgi;"
                    "workers=9;base=tpl;from=tpl app app uwsgi;");
    assert_int_equal(f->conf.files.n_items, 3);
    assert_string_equal(f->conf.name, "app.ini");
    assert_string_equal(conf_get(&f->conf, "processes"), "9");
    assert_null(conf_get(&f->conf, "nothing"));
}

static void test_include_name_is_expanded(void **state)
{
    struct fixture *f = *state;

    f->environ[0] = "PART=part";
    fixture_write(f, "app.part.ini", "[uwsgi]\nworkers = 2\n");
    assert_int_equal(fixture_load_text(f, "[uwsgi]\ndir = .\n"
                                          "include = %(dir)/%n.$(PART).ini\n"),
                     0);
    assert_settings(f, "dir=.;workers=2;");
    assert_true(f->conf.settings[0].referenced);
}

/* Relative names start in the directory of the load, not in that of the including file. */
static void test_subfolder_and_link(void **state)
{
    struct fixture *f = *state;
    char path[256], target[256];

    (void)snprintf(path, sizeof(path), "%s/sub", f->folder);
    assert_int_equal(mkdir(path, 0700), 0);
    fixture_write(f, "sub/app.skel", "[uwsgi]\nname = %n.%e in %c\ninclude = part.ini\n");
    fixture_write(f, "part.ini", "[uwsgi]\npart = %s\n");
    (void)snprintf(target, sizeof(target), "%s/sub/app1.ini", f->folder);
    assert_int_equal(symlink("app.skel", target), 0);
    assert_int_equal(fixture_load(f, "sub/app1.ini", NULL), 0);
    assert_settings(f, "name=app1.ini in sub;part=part.ini;");
    assert_string_equal(f->conf.name, "app1.ini");
}

static void test_cycles(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "b.ini", "[uwsgi]\nx\ninclude = c.ini\n");
    fixture_write(f, "c.ini", "[uwsgi]\ninclude = app.ini\n");
    assert_refused(f, "include = b.ini\n",
                   "c.ini:2: files include each other: app.ini:2 -> b.ini:3 -> c.ini:2 -> app.ini");
    assert_refused(f, "ini = app.ini\n",
                   "app.ini:2: files include each other: app.ini:2 -> app.ini");
    fixture_write(f, "c.ini", "[uwsgi]\ninherit = b.ini\n");
    assert_refused(f, "include = b.ini\n",
                   "c.ini:2: files include each other: b.ini:3 -> c.ini:2 -> b.ini");
    /* Another section of the same file is no cycle; the same file twice is none either. */
    fixture_write(f, "c.ini", "[uwsgi]\nx = 1\n");
    assert_int_equal(fixture_load_text(f, "[uwsgi]\nini = app.ini:a\ninclude = b.ini\n"
                                          "include = b.ini\n[a]\ny = 1\n"),
                     0);
    assert_settings(f, "y=1;x=;x=1;x=;x=1;");
    assert_int_equal(f->conf.files.n_items, 3);
}

static void write_chain(const struct fixture *f, int depth)
{
    for (int i = 1; i < depth; i++) {
        char name[32], text[64];
        (void)snprintf(name, sizeof(name), "%d.ini", i);
        (void)snprintf(text, sizeof(text), "[uwsgi]\ninclude = %d.ini\n", i + 1);
        fixture_write(f, name, text);
    }
}

static void test_depth(void **state)
{
    struct fixture *f = *state;

    write_chain(f, 32);
    fixture_write(f, "32.ini", "[uwsgi]\ndeep = yes\n");
    assert_int_equal(fixture_load(f, "1.ini", NULL), 0);
    assert_settings(f, "deep=yes;");
    write_chain(f, 33);
    fixture_write(f, "33.ini", "[uwsgi]\ndeep = yes\n");
    assert_int_equal(fixture_load(f, "1.ini", NULL), -ELOOP);
    assert_string_equal(f->err.text, "32.ini:2: files are included more than 32 deep");
}

/* Each file reads the next one ten times: stopped by the number of files, not by patience. */
static void test_many_files(void **state)
{
    struct fixture *f = *state;

    for (int i = 1; i < 8; i++) {
        char name[32], text[512] = "[uwsgi]\n";
        (void)snprintf(name, sizeof(name), "%d.ini", i);
        for (int n = 0; n < 10; n++)
            (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "include = %d.ini\n",
                           i + 1);
        fixture_write(f, name, text);
    }
    fixture_write(f, "8.ini", "[uwsgi]\n");
    assert_int_equal(fixture_load(f, "1.ini", NULL), -E2BIG);
    assert_non_null(strstr(f->err.text, ": more than 1000 files are read"));
}

static void test_set(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fixture_load_text(f, "[uwsgi]\nset = workers=3\nset = mine = a b\n"
                                          "set-ph = workers=x\nset = set=set=other=1\n"),
                     0);
    assert_settings(f, "workers=3;mine=a b;workers=x;other=1;");
    assert_false(f->conf.settings[0].placeholder);
    assert_true(f->conf.settings[1].placeholder);
    assert_true(f->conf.settings[2].placeholder);
    assert_null(f->conf.settings[2].option);
    assert_int_equal(fixture_load(f, "-S", "a=b", "--set-placeholder", "c=", "-Sd=%(a)", NULL), 0);
    assert_settings(f, "a=b;c=;d=b;");
}

static void test_environment_options(void **state)
{
    struct fixture *f = *state;

    f->environ[0] = "PATH=/bin";
    assert_int_equal(fixture_load_text(f, "[uwsgi]\nx = $(PATH)\nienv = PATH=/srv:$(PATH)\n"
                                          "env = A=1\nenv = B=$(PATH)\nenv = A=2\nunenv = B\n"
                                          "unenv = C\nenv = C=3\n"),
                     0);
    assert_settings(f, "x=/srv:/bin;"); /* ienv counts for the whole configuration */
    assert_int_equal(f->conf.env.n_items, 3);
    assert_string_equal(f->conf.env.items[0], "PATH=/srv:/bin");
    assert_string_equal(f->conf.env.items[1], "A=2");
    assert_string_equal(f->conf.env.items[2], "C=3");
    assert_int_equal(f->conf.unenv.n_items, 1);
    assert_string_equal(f->conf.unenv.items[0], "B");
}

static void test_names_in_the_environment(void **state)
{
    struct fixture *f = *state;

    f->environ[0] = "UWSGI_A=/tmp/%n.sock %N %x %%n %(b)";
    f->environ[1] = "UWSGI_INI=app.ini";
    f->environ[2] = "LIEGE_B=%s %q";
    fixture_write(f, "app.ini", "[liege]\nc = %%n\ninclude = part.ini\n");
    fixture_write(f, "part.ini", "[liege]\nd = %(a)\n");
    assert_int_equal(fixture_load(f, "--set", "e=%n", NULL), 0);
    assert_settings(f, "a=/tmp/app.sock app liege %n app.ini %q;c=%n;"
                       "d=/tmp/app.sock app liege %n app.ini %q;b=app.ini %q;e=%n;");
    assert_int_equal(f->conf.warnings.n_items, 1);
    assert_string_equal(f->conf.warnings.items[0],
                        "environment: %q is no magic variable and is left "
                        "as it is (%% is a percent sign)");
}

static void test_without_a_configuration_there_are_no_names(void **state)
{
    struct fixture *f = *state;

    f->environ[0] = "UWSGI_A=%n %h";
    assert_int_equal(fixture_load(f, "--set", "b=1", NULL), 0);
    assert_settings(f, "a=%n %h;b=1;");
}

static void test_a_name_is_no_command_in_the_environment(void **state)
{
    struct fixture *f = *state;

    f->environ[0] = "UWSGI_A=@(exec://echo %n)";
    fixture_write(f, "app.ini", "[liege]\n");
    assert_int_equal(fixture_load(f, "app.ini", NULL), 0);
    assert_settings(f, "a=app;");
    fixture_write(f, "a;b.ini", "[liege]\n");
    assert_int_equal(fixture_load(f, "a;b.ini", NULL), -EPERM);
}

static void test_actions(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "app.ini", "[uwsgi]\nstrict = true\n");
    assert_int_equal(fixture_load(f, "--check", "app.ini", NULL), 0);
    assert_int_equal(f->conf.action, CONF_CHECK);
    assert_true(f->conf.strict);
    assert_int_equal(f->conf.n_settings, 0);
    assert_int_equal(fixture_load(f, "--show-config", "--check", "--strict=no", NULL), 0);
    assert_int_equal(f->conf.action, CONF_SHOW_CONFIG);
    assert_int_equal(fixture_load(f, "--version", "--check", NULL), 0);
    assert_int_equal(f->conf.action, CONF_VERSION);
    assert_int_equal(fixture_load(f, "-h", "--version", NULL), 0);
    assert_int_equal(f->conf.action, CONF_HELP);
    assert_int_equal(fixture_load(f, "--get", "x", "--check", NULL), 0);
    assert_int_equal(f->conf.action, CONF_GET);
    assert_string_equal(f->conf.get, "x");
    assert_int_equal(fixture_load(f, "--dump-options", "--get=x", NULL), 0);
    assert_int_equal(f->conf.action, CONF_DUMP_OPTIONS);
    assert_int_equal(fixture_load(f, "--check=no", NULL), 0);
    assert_int_equal(f->conf.action, CONF_RUN);
    assert_string_equal(f->conf.name, "");
}

static void test_exit(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fixture_load_text(f, "[uwsgi]\nx = 1\nexit = 7\ninclude = none.ini\n"), 0);
    assert_int_equal(f->conf.action, CONF_EXIT);
    assert_int_equal(f->conf.exit_code, 7);
    assert_int_equal(f->conf.n_settings, 0);
    assert_string_equal(f->err.text, "app.ini:3: exit = 7");
    assert_int_equal(fixture_load(f, "--help", "--exit", NULL), 0);
    assert_int_equal(f->conf.action, CONF_EXIT);
    assert_int_equal(f->conf.exit_code, 0);
    assert_int_equal(fixture_load_text(f, "[uwsgi]\nif-env = NONE\nexit = 7\nendif\n"), 0);
    assert_int_equal(f->conf.action, CONF_RUN);
}

/* What a load that failed leaves. */
static void test_fallback(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fixture_load_text(f, "[uwsgi]\nx = %n\nfallback-config = %(x).safe\nelse\n"),
                     -EINVAL);
    assert_string_equal(f->conf.fallback, "app.safe");
    assert_int_equal(f->conf.n_settings, 0);
    assert_int_equal(fixture_load(f, "app.ini", "--check", NULL), -EINVAL);
    assert_null(f->conf.fallback);
    assert_int_equal(fixture_load(f, "app.ini", "--vers", NULL), -EINVAL);
    assert_null(f->conf.fallback);
    assert_int_equal(fixture_load(f, "app.ini", "-Mh", NULL), -EINVAL);
    assert_null(f->conf.fallback);
    assert_int_equal(fixture_load(f, "app.ini", "-M", "--master", NULL), -EINVAL);
    assert_non_null(f->conf.fallback);
    assert_int_equal(fixture_load(f, "--fallback-config", "x", NULL), 0);
    assert_string_equal(f->conf.fallback, "x");
    assert_int_equal(f->conf.n_settings, 0);
}

static void test_print(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fixture_load_text(f, "[uwsgi]\nx = 1\nprint = a %(x) %(y)\n"
                                          "iprint = b %(x)\ny = 2\n"),
                     0);
    assert_settings(f, "x=1;y=2;");
    assert_int_equal(f->conf.prints.n_items, 2);
    assert_string_equal(f->conf.prints.items[0], "b 1");
    assert_string_equal(f->conf.prints.items[1], "a 1 2");
}

static const struct {
    const char *name, *value; /* NULL: nothing is called so */
} values[] = {
    {"workers", "3\n"}, {"processes", "3\n"}, {"socket", "a\nb\n"}, {"uwsgi-socket", "a\nb\n"},
    {"v", "1\n"},       {"x", "1 3\n"},       {"size", NULL},
};

static void test_values(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fixture_load_text(f, "[uwsgi]\nworkers = 2\nsocket = a\nset-ph = v=1\n"
                                          "v = 2\nx = %(v) 3\nsocket = b\nprocesses = 3\n"),
                     0);
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct buf out = {0};
        int r = conf_show_value(&f->conf, values[i].name, &out);

        assert_int_equal(r, values[i].value ? 0 : -ENOENT);
        assert_int_equal(buf_len(&out), values[i].value ? strlen(values[i].value) : 0);
        if (values[i].value)
            assert_memory_equal(buf_at(&out), values[i].value, buf_len(&out));
        buf_done(&out);
    }
}

static const struct {
    const char *text, *message;
} refusals[] = {
    {"[x\n", "app.ini:2: this section line has no ']'"},
    {"include = none.ini\n", "app.ini:2: cannot read 'none.ini': No such file or directory"},
    {"include = no/ne.ini\n", "app.ini:2: cannot read 'no/ne.ini': No such file or directory"},
    {"include = .\n", "app.ini:2: cannot read '.': Is a directory"},
    {"include\n", "app.ini:2: a file name is missing"},
    {"json = x\n", "app.ini:2: cannot read 'x': No such file or directory"},
    {"set = endif=\n", "app.ini:2: set: 'endif' is no option: write it alone"},
    {"set = x\n", "app.ini:2: set: 'x' is not NAME=VALUE"},
    {"set = =x\n", "app.ini:2: set: '=x' is not NAME=VALUE"},
    {"set-ph = x\n", "app.ini:2: set-ph: 'x' is not NAME=VALUE"},
    {"env = x\n", "app.ini:2: env: 'x' is not NAME=VALUE"},
    {"ienv = =x\n", "app.ini:2: ienv: '=x' is not NAME=VALUE"},
    {"unenv = A=B\n", "app.ini:2: unenv: 'A=B' is not a NAME"},
    {"unenv\n", "app.ini:2: unenv: '' is not a NAME"},
    {"exit = 256\n", "app.ini:2: exit: '256' is not a whole number from 0 to 255"},
    {"exit = -1\n", "app.ini:2: exit: '-1' is not a whole number from 0 to 255"},
    {"inject-before = x\n", "app.ini:2: 'inject-before' is not built: let the file include what is "
                            "wanted in it"},
    {"strict = perhaps\n", "app.ini:2: strict: 'perhaps' is not yes or no"},
};

static void test_refusals(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(refusals); i++)
        assert_refused(f, refusals[i].text, refusals[i].message);
    assert_int_equal(fixture_load(f, "none.ini", NULL), -ENOENT);
    assert_string_equal(f->err.text,
                        "command line: cannot read 'none.ini': No such file or directory");
}

static void test_warnings(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fixture_load_text(f, "a = 1\nb = 2\n[uwsgi]\nx = %q\n%z = 1\n"), 0);
    assert_settings(f, "x=%q;%z=1;");
    assert_int_equal(f->conf.warnings.n_items, 3);
    assert_string_equal(f->conf.warnings.items[0],
                        "app.ini:1: what stands before the first [section] is ignored");
    assert_string_equal(f->conf.warnings.items[1],
                        "app.ini:4: %q is no magic variable and is left as it is (%% is a percent "
                        "sign)");
    assert_true(str_starts(f->conf.warnings.items[2], "app.ini:5: %z is no magic variable"));
}

static void test_odd_bytes(void **state)
{
    static const char nul[] = "[uwsgi]\nx = \0\n";
    struct fixture *f = *state;

    fixture_write_bytes(f, "app.ini", nul, sizeof(nul) - 1);
    assert_int_equal(fixture_load(f, "app.ini", NULL), -EINVAL);
    assert_string_equal(f->err.text, "app.ini:2: there is a NUL byte (is this UTF-16?)");
    assert_int_equal(fixture_load_text(f, "\xef\xbb\xbf[uwsgi]\r\nx = \xff\xfe\x01\r\n"), 0);
    assert_settings(f, "x=\xff\xfe\x01;");
}

static void test_every_meta_row_acts(void **state)
{
    struct fixture *f = *state;
    struct conf_input in = {.cwd = f->folder};

    for (size_t i = 0; i < conf_meta_table.n_options; i++) {
        const struct liege_option *row = &conf_meta_table.options[i];
        struct conf conf = {0};
        struct loader l;
        struct conf_setting s = {
            .key = (char *)row->name, .value = (char *)"", .file = (char *)"test"};

        assert_int_equal(loader_init(&l, &in, &conf, &f->err), 0);
        assert_true(meta_immediate(&l, &s) != 0 || meta_final(&l, &s) != 0);
        assert_false(meta_is_unsupported(row->name));
        assert_non_null(row->help);
        loader_done(&l);
        conf_done(&conf);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_places),
        TEST(test_sections),
        TEST(test_no_section),
        TEST(test_include_order),
        TEST(test_include_name_is_expanded),
        TEST(test_subfolder_and_link),
        TEST(test_cycles),
        TEST(test_depth),
        TEST(test_many_files),
        TEST(test_set),
        TEST(test_environment_options),
        TEST(test_names_in_the_environment),
        TEST(test_without_a_configuration_there_are_no_names),
        TEST(test_a_name_is_no_command_in_the_environment),
        TEST(test_actions),
        TEST(test_exit),
        TEST(test_fallback),
        TEST(test_print),
        TEST(test_values),
        TEST(test_refusals),
        TEST(test_warnings),
        TEST(test_odd_bytes),
        TEST(test_every_meta_row_acts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
