/* SPDX-License-Identifier: MIT */
/* Which application a path belongs to, and which languages are started and told what. plugin_open()
 * is a double: it gives languages that only note what is asked of them. */
#include "app/app.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../plugins/perl/perl-conf.h"
#include "../../plugins/python/python-conf.h"
#include "app/language.h"
#include "app/plugin.h"
#include "base/strv.h"
#include "unit.h"

static char trace[256];

static void note(const char *text)
{
    size_t len = strlen(trace);

    (void)snprintf(trace + len, sizeof(trace) - len, "%s;", text);
}

/* Routing */

static void add(struct apps *a, const char *prefix)
{
    struct app_mount *m = &a->mounts[a->n_mounts++];

    *m = (struct app_mount){.prefix = strdup(prefix), .prefix_len = strlen(prefix)};
    assert_non_null(m->prefix);
}

static void done(struct apps *a)
{
    for (size_t i = 0; i < a->n_mounts; i++)
        free(a->mounts[i].prefix);
    free(a->mounts);
}

static const struct {
    const char *path, *prefix;
} routes[] = {
    {"/", ""},
    {"", ""},
    {"*", ""},
    {"/other", ""},
    {"/api", "/api"},
    {"/api/", "/api"},
    {"/api/users", "/api"},
    {"/apis", ""},
    {"/ap", ""},
    {"/API", ""},
    {"//api", ""},
    {"/api/v2", "/api/v2"},
    {"/api/v2/", "/api/v2"},
    {"/api/v2/users", "/api/v2"},
    {"/api/v22", "/api"},
    {"/x/api/v2", ""},
};

static void test_route(void **state)
{
    struct apps a = {.mounts = calloc(3, sizeof(*a.mounts))};

    (void)state;
    add(&a, "/api/v2");
    add(&a, "/api");
    for (int with_root = 0; with_root < 2; with_root++) {
        for (size_t i = 0; i < COUNT_OF(routes); i++) {
            size_t len = strlen(routes[i].path);
            char *path = malloc(len + 1); /* of just this size: nothing behind it is looked at */
            memcpy(path, routes[i].path, len);
            path[len] = '/';
            const struct app_mount *m = apps_route(&a, path, len);
            free(path);
            if (*routes[i].prefix == '\0' && !with_root)
                assert_null(m);
            else
                assert_string_equal(m->prefix, routes[i].prefix);
        }
        if (!with_root)
            add(&a, "");
    }
    done(&a);
}

/* Loading */

static int n_opened, load_result;

static int start(const struct liege_host *host, const void *conf, struct liege_error *err)
{
    (void)host;
    (void)err;
    assert_non_null(conf);
    note("start");
    return 0;
}

static int load(const char *source, void **ret_app, struct liege_error *err)
{
    static int an_app;

    note(source ? source : "load");
    if (load_result < 0)
        (void)snprintf(err->text, sizeof(err->text), "/srv/app.py:1: it broke");
    else
        *ret_app = &an_app;
    return load_result;
}

static int early(const char *option, const char *value, void **ret_app, struct liege_error *err)
{
    static int an_early_app;
    char text[64];

    (void)err;
    (void)snprintf(text, sizeof(text), "%s=%s", option, value);
    note(text);
    if (strcmp(option, "early-wsgi") == 0 || strcmp(option, "early-psgi") == 0)
        *ret_app = &an_early_app;
    return 0;
}

static int prepare(struct liege_error *err)
{
    (void)err;
    note("prepare");
    return 0;
}

static int adopt_result;

static int adopt(const struct liege_host *host, const void *conf, struct liege_error *err)
{
    assert_non_null(host);
    assert_non_null(conf);
    note("adopt");
    if (adopt_result < 0)
        (void)snprintf(err->text, sizeof(err->text), "optimize = 2, but");
    return adopt_result;
}

static void before_fork(void)
{
    note("before");
}

static void after_fork_child(void)
{
    note("child");
}

static void before_fork_2(void)
{
    note("before 2");
}

static void after_fork_child_2(void)
{
    note("child 2");
}

static int worker_start(struct liege_error *err)
{
    (void)snprintf(err->text, sizeof(err->text), "no thread");
    return -EAGAIN;
}

static const struct liege_plugin doubles[] = {
    {.name = "python",
     .start = start,
     .early = early,
     .prepare = prepare,
     .load = load,
     .adopt = adopt,
     .before_fork = before_fork,
     .after_fork_child = after_fork_child},
    {.name = "perl",
     .start = start,
     .early = early,
     .load = load,
     .before_fork = before_fork_2,
     .after_fork_child = after_fork_child_2,
     .worker_start = worker_start},
};

int plugin_open(const struct liege_plugin_info *info, const struct liege_plugin **ret,
                struct errmsg *err)
{
    (void)err;
    n_opened++;
    *ret = &doubles[strcmp(info->name, "python") == 0 ? 0 : 1];
    return 0;
}

/* Loads with these mounts; @root: the options name an application of the first language too. */
static int load_mounts(struct apps *a, const char *const *mounts, const char *plugin, bool root,
                       struct errmsg *err)
{
    struct app_conf conf = {.need_app = true};
    const struct liege_host host = {.n_settings = 0};
    const int plugin_conf = 0;
    const void *confs[8] = {&plugin_conf, &plugin_conf, &plugin_conf, &plugin_conf};
    bool wanted[8] = {root};
    const struct apps_input in = {
        .conf = &conf, .plugin_confs = confs, .plugin_wanted = wanted, .host = &host};

    assert_true(n_languages <= 4);
    trace[0] = '\0';
    n_opened = 0;
    *a = (struct apps){0};
    for (size_t i = 0; mounts[i]; i++)
        assert_int_equal(strv_append(&conf.mounts, mounts[i]), 0);
    if (plugin)
        assert_int_equal(strv_append(&conf.plugins, plugin), 0);
    int r = apps_load(a, &in, err);
    strv_done(&conf.mounts);
    strv_done(&conf.plugins);
    return r;
}

/* The longest prefix stands first, in whatever order they are given; a language starts once. */
static void test_load(void **state)
{
    static const char *const mounts[] = {"/a=one.py", "/a/long/one/=two.psgi", "/b=mod:app", NULL};
    static const char *const prefixes[] = {"/a/long/one", "/a", "/b", ""};
    struct errmsg err = {""};
    struct apps a;

    (void)state;
    assert_int_equal(load_mounts(&a, mounts, "psgi", true, &err), 0);
    assert_string_equal(trace, "start;start;prepare;load;one.py;two.psgi;mod:app;");
    assert_int_equal(n_opened, 2);
    assert_int_equal(a.n_mounts, COUNT_OF(prefixes));
    for (size_t i = 0; i < a.n_mounts; i++)
        assert_string_equal(a.mounts[i].prefix, prefixes[i]);
    assert_string_equal(apps_route(&a, "/a/long/one", 11)->plugin->name, "perl");
    assert_string_equal(apps_route(&a, "/b", 2)->plugin->name, "python");
    done(&a);
}

static void test_load_refusals(void **state)
{
    static const struct {
        const char *mounts[3], *plugin;
        bool root;
        int load_result, error;
        const char *said;
    } cases[] = {
        {{"no-slash=app.py"}, NULL, false, 0, -EINVAL, "'no-slash=app.py' is not /PREFIX=SOURCE"},
        {{"/a"}, NULL, false, 0, -EINVAL, "'/a' is not /PREFIX=SOURCE"},
        {{"/a="}, NULL, false, 0, -EINVAL, "'/a=' is not /PREFIX=SOURCE"},
        {{""}, NULL, false, 0, -EINVAL, "is not /PREFIX=SOURCE"},
        {{"/a=1.py", "/a/=2.py"}, NULL, false, 0, -EEXIST, "two applications are set for /a"},
        {{"/=1.py"}, NULL, true, 0, -EEXIST, "two applications are set for /"},
        {{NULL}, NULL, false, 0, -ENOENT, "there is no application"},
        {{NULL}, "cobol", false, 0, -ENOENT, "there is no plugin 'cobol'"},
        {{"/a=1.py"}, NULL, false, -ENOEXEC, -ENOEXEC, "/srv/app.py:1: it broke"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct errmsg err = {""};
        struct apps a;

        load_result = cases[i].load_result;
        int r = load_mounts(&a, cases[i].mounts, cases[i].plugin, cases[i].root, &err);
        load_result = 0;
        assert_int_equal(r, cases[i].error);
        if (!strstr(err.text, cases[i].said))
            fail_msg("said was: %s", err.text);
        done(&a);
    }
}

/* Early options, and what is inherited */

#define MAX_SETTINGS 6

/* Loads, or adopts if @a has something, with these settings and mounts. */
static int load_settings(struct apps *a, const struct liege_setting *settings, const char *mount,
                         struct errmsg *err)
{
    struct app_conf conf = {.need_app = true};
    struct python_conf python = {.early_python = false};
    struct perl_conf perl = {.auto_reload = 0};
    const void *confs[8] = {&python, &perl};
    bool wanted[8] = {false};
    struct liege_host host = {.settings = settings};
    const struct apps_input in = {
        .conf = &conf, .plugin_confs = confs, .plugin_wanted = wanted, .host = &host};

    assert_true(n_languages == 2);
    trace[0] = '\0';
    while (host.n_settings < MAX_SETTINGS && settings[host.n_settings].key)
        host.n_settings++;
    if (mount)
        assert_int_equal(strv_append(&conf.mounts, mount), 0);
    int r = a->n_plugins > 0 ? apps_adopt(a, &in, err) : apps_load(a, &in, err);
    strv_done(&conf.mounts);
    return r;
}

static void test_early(void **state)
{
    static const struct {
        struct liege_setting settings[MAX_SETTINGS];
        const char *mount, *trace, *prefix, *plugin; /* @plugin of @prefix, the only one */
    } cases[] = {
        {{{"early-psgi", "a.psgi"}, {"early-wsgi", "b"}},
         NULL,
         "start;early-psgi=a.psgi;start;early-wsgi=b;prepare;",
         "",
         "perl"},
        {{{"early-python-path", "x"}, {"early-pyimport", "m"}, {"early-wsgi", "b"}},
         NULL,
         "start;early-pythonpath=x;early-pyimport=m;early-wsgi=b;prepare;",
         "",
         "python"},
        {{{"module", "m"}, {"early-wsgi", "b"}, {"early-psgi", "a.psgi"}},
         "/x=y.py",
         "start;early-wsgi=b;start;early-psgi=a.psgi;prepare;y.py;",
         "/x",
         "python"},
        /* a flag that is off, and no languages before the mount's */
        {{{"early-python", "no"}}, "/=y.psgi", "start;y.psgi;", "", "perl"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct errmsg err = {""};
        struct apps a = {.n_plugins = 0};

        assert_int_equal(load_settings(&a, cases[i].settings, cases[i].mount, &err), 0);
        assert_string_equal(trace, cases[i].trace);
        assert_int_equal(a.n_mounts, 1);
        assert_string_equal(a.mounts[0].prefix, cases[i].prefix);
        assert_string_equal(a.mounts[0].plugin->name, cases[i].plugin);
        done(&a);
    }
}

/* Of the base's configuration only its first early application is left, and only for who names
 * none. */
static void test_adopt(void **state)
{
    static const struct liege_setting base[MAX_SETTINGS] = {{"early-wsgi", "one"},
                                                            {"early-wsgi", "two"}};
    static const struct {
        struct liege_setting settings[MAX_SETTINGS];
        const char *mount, *trace, *prefix, *plugin;
        int result, error;
        const char *said;
    } cases[] = {
        {{{NULL}}, NULL, "adopt;prepare;", "", "python", 0, 0, ""},
        {{{NULL}}, "/b=y.psgi", "adopt;prepare;start;y.psgi;", "/b", "perl", 0, 0, ""},
        {{{"early-psgi", "a.psgi"}},
         NULL,
         "adopt;start;early-psgi=a.psgi;prepare;",
         "",
         "perl",
         0,
         0,
         ""},
        {{{NULL}}, NULL, "adopt;", NULL, NULL, -EBUSY, -EBUSY, "optimize = 2, but"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct errmsg err = {""};
        struct apps a = {.n_plugins = 0};

        assert_int_equal(load_settings(&a, base, "/base=x.py", &err), 0);
        adopt_result = cases[i].result;
        int r = load_settings(&a, cases[i].settings, cases[i].mount, &err);
        adopt_result = 0;
        assert_int_equal(r, cases[i].error);
        assert_string_equal(err.text, cases[i].said);
        assert_string_equal(trace, cases[i].trace);
        assert_int_equal(a.n_mounts, r == 0);
        if (r == 0) {
            assert_string_equal(a.mounts[0].prefix, cases[i].prefix);
            assert_string_equal(a.mounts[0].plugin->name, cases[i].plugin);
        }
        done(&a);
    }
}

/* A base that only has modules for its vassals. */
static void test_base(void **state)
{
    struct app_conf conf = {.need_app = true};
    const bool wanted[8] = {false};
    const struct liege_host host = {.n_settings = 0};
    const struct apps_input in = {
        .conf = &conf, .plugin_wanted = wanted, .host = &host, .is_base = true};
    struct errmsg err = {""};
    struct apps a = {.n_plugins = 0};

    (void)state;
    assert_int_equal(apps_load(&a, &in, &err), 0);
    assert_int_equal(a.n_mounts, 0);
}

static void test_adopt_what_cannot_be(void **state)
{
    static const struct liege_setting base[MAX_SETTINGS] = {{"early-psgi", "a.psgi"}};
    struct errmsg err = {""};
    struct apps a = {.n_plugins = 0};

    (void)state;
    assert_int_equal(load_settings(&a, base, NULL, &err), 0);
    assert_int_equal(load_settings(&a, base, NULL, &err), -EBUSY);
    assert_string_equal(err.text, "Perl (PSGI) cannot be taken over from another instance");
    done(&a);
}

/* What is told before a fork is undone in the opposite order; a language need not listen. */
static void test_hooks(void **state)
{
    struct apps a = {.plugins = {&doubles[0], &doubles[1]}, .n_plugins = 2};
    struct errmsg err = {""};

    (void)state;
    trace[0] = '\0';
    apps_before_fork(&a);
    apps_after_fork_parent(&a);
    apps_after_fork_child(&a);
    apps_wait_begin(&a);
    apps_wait_end(&a);
    apps_stop(&a);
    assert_string_equal(trace, "before;before 2;child 2;child;");
    assert_int_equal(apps_worker_start(&a, &err), -EAGAIN);
    assert_string_equal(err.text, "no thread");
    a.n_plugins = 1;
    assert_int_equal(apps_worker_start(&a, &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_route),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_load_refusals),
        cmocka_unit_test(test_early),
        cmocka_unit_test(test_adopt),
        cmocka_unit_test(test_base),
        cmocka_unit_test(test_adopt_what_cannot_be),
        cmocka_unit_test(test_hooks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
