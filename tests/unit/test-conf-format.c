/* SPDX-License-Identifier: MIT */
/* The table of formats, and loads of files in each: sections, places, what names a format. */
#include "conf/format.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf-fixture.h"

static void test_names(void **state)
{
    static const struct {
        const char *name, *option;
    } cases[] = {
        {"a.ini", "ini"},   {"a.yaml", "yaml"}, {"/x/a.yml", "yaml"}, {"a.json", "json"},
        {"a.b.js", "json"}, {"a.xml", "xml"},   {"a.xml.bak", NULL},  {"ini", NULL},
        {".ini", NULL},     {"", NULL},
    };
    char endings[64];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct format *format = format_of_name(cases[i].name);
        if (cases[i].option) {
            assert_non_null(format);
            assert_string_equal(format->option, cases[i].option);
            assert_non_null(format_of_option(format->option));
            assert_ptr_equal(format_of_option(format->option)->parse, format->parse);
        } else {
            assert_null(format);
        }
    }
    assert_null(format_of_option("config"));
    assert_string_equal(format_endings(endings, sizeof(endings)), ".ini .yaml .yml .json .js .xml");
}

static const struct {
    const char *name, *text;
    unsigned line; /* of "workers" */
} same[] = {
    {"app.ini", "[uwsgi]\nworkers = 4\nsocket = %n\nsocket = b\nmaster = true\n[x]\nsize = 1m\n",
     2},
    {"app.yaml", "uwsgi:\n  workers: 4\n  socket: [\"%n\", b]\n  master: true\nx:\n  size: 1m\n",
     2},
    {"app.yml", "x: {size: 1m}\nuwsgi:\n  workers: 4\n  socket:\n  - '%n'\n  - b\n  master:\n", 3},
    {"app.json",
     "{\"x\": {\"size\": \"1m\"},\n\"uwsgi\": {\"workers\": 4, \"socket\": [\"%n\", \"b\"],"
     " \"master\": true}}",
     2},
    {"app.js",
     "{\"uwsgi\": {\n\n\"workers\": \"4\", \"socket\": [\"%n\", \"b\"], \"master\": \"\"},"
     "\"x\": {\"size\": \"1m\"}}",
     3},
    {"app.xml",
     "<cfg><liege><workers>4</workers><socket>%n</socket><socket>b</socket><master/></liege>\n"
     "<uwsgi id=\"x\"><size>1m</size></uwsgi></cfg>",
     1},
};

static void test_each_format_says_the_same(void **state)
{
    struct fixture *f = *state;
    char spec[64];

    for (size_t i = 0; i < COUNT_OF(same); i++) {
        fixture_write(f, same[i].name, same[i].text);
        assert_int_equal(fixture_load(f, same[i].name, NULL), 0);
        assert_int_equal(f->conf.n_settings, 4);
        assert_string_equal(f->conf.settings[0].file, same[i].name);
        assert_int_equal(f->conf.settings[0].line, same[i].line);
        assert_int_equal(fixture_apply(f), 0);
        assert_string_equal(fixture_warnings, "");
        assert_int_equal(sample.workers, 4);
        assert_true(sample.master);
        assert_int_equal(sample.sockets.n_items, 2);
        assert_string_equal(sample.sockets.items[0], "app");
        assert_string_equal(sample.sockets.items[1], "b");

        (void)snprintf(spec, sizeof(spec), "%s:x", same[i].name);
        assert_int_equal(fixture_load(f, spec, NULL), 0);
        assert_int_equal(f->conf.n_settings, 1);
        assert_setting(f, "size", "1m");
        assert_int_equal(fixture_load(f, same[i].name, ":x", NULL), 0);
        assert_setting(f, "size", "1m");
        (void)snprintf(spec, sizeof(spec), "%s:none", same[i].name);
        assert_int_equal(fixture_load(f, spec, NULL), -EINVAL);
        assert_non_null(strstr(f->err.text, ": there is no section [none]; there are: ["));
    }
}

static void test_formats_mix(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "part", "uwsgi: {workers: 2}\n");
    fixture_write(f, "part.json", "{\"uwsgi\": {\"size\": \"%n of %N\"}}");
    fixture_write(f, "part.tpl", "[uwsgi]\nstats = %n\n");
    fixture_write(f, "part.xml", "<uwsgi><inherit>part.tpl</inherit></uwsgi>");
    assert_int_equal(fixture_load_text(f, "[uwsgi]\nyml = part\ninclude = part.json\n"
                                          "include = part.xml\n"),
                     0);
    assert_setting(f, "workers", "2");
    assert_setting(f, "size", "part of app");
    assert_setting(f, "stats", "part");
    assert_int_equal(fixture_load(f, "--js", "part.json", "--xmlconfig", "part.xml", NULL), 0);
    assert_setting(f, "stats", "part");
    assert_int_equal(fixture_load(f, "--xml", "part.json", NULL), -EINVAL);
    assert_string_equal(f->err.text,
                        "part.json:1: this is not XML: not well-formed (invalid token)");
}

static void test_false_is_not_set(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "app.json",
                  "{\"uwsgi\": {\"master\": false, \"lazy\": null, \"stats\": null}}");
    assert_int_equal(fixture_load(f, "app.json", NULL), 0);
    assert_int_equal(fixture_apply(f), 0);
    assert_false(sample.master);
    assert_false(sample.lazy);
    assert_null(sample.stats);
}

static void test_mode(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "app.xml",
                  "<uwsgi><workers>1</workers><workers mode=\"test\">2</workers>"
                  "<workers mode=\"live\">3</workers></uwsgi>");
    assert_int_equal(fixture_load(f, "app.xml", NULL), 0);
    assert_setting(f, "workers", "1");
    assert_int_equal(fixture_load(f, "--mode", "live", "app.xml", NULL), 0);
    assert_setting(f, "workers", "3");
    assert_int_equal(fixture_load(f, "--mode=test", "app.xml", NULL), 0);
    assert_setting(f, "workers", "2");
}

static void test_places_of_errors(void **state)
{
    static const struct {
        const char *name, *text, *message;
    } cases[] = {
        {"a.yml", "uwsgi:\n  master: 1\n  workers: many\n",
         "a.yml:3: workers: 'many' is not a whole number from 1 to 1024"},
        {"a.json", "{\"uwsgi\": {\n\"master\": 1,\n\"workers\":\n0}}",
         "a.json:4: workers: '0' is not a whole number from 1 to 1024"},
        {"a.xml", "<uwsgi>\n<workers>\n0\n</workers></uwsgi>",
         "a.xml:2: workers: '0' is not a whole number from 1 to 1024"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fixture_write(f, cases[i].name, cases[i].text);
        assert_int_equal(fixture_load(f, cases[i].name, NULL), 0);
        assert_true(fixture_apply(f) < 0);
        assert_string_equal(f->err.text, cases[i].message);
    }
}

static void test_one_configuration_a_file(void **state)
{
    static const struct {
        const char *name, *text, *place;
    } cases[] = {
        {"a.yml", "uwsgi: {workers: 1}\n---\nuwsgi: {workers: 2}\n", "a.yml:3"},
        {"a.json", "[{\"uwsgi\": {}},\n{\"uwsgi\": {}}]\n", "a.json:2"},
        {"a.xml", "<uwsgi/>\n<uwsgi/>\n", "a.xml:2"},
    };
    struct fixture *f = *state;
    char message[256];

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fixture_write(f, cases[i].name, cases[i].text);
        assert_int_equal(fixture_load(f, cases[i].name, NULL), -ENOTSUP);
        (void)snprintf(message, sizeof(message),
                       "%s: a second configuration begins here: a file has one, or several in "
                       "sections called vassal:NAME",
                       cases[i].place);
        assert_string_equal(f->err.text, message);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        TEST(test_each_format_says_the_same),
        TEST(test_formats_mix),
        TEST(test_false_is_not_set),
        TEST(test_mode),
        TEST(test_places_of_errors),
        TEST(test_one_configuration_a_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
