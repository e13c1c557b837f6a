/* SPDX-License-Identifier: MIT */

/* What the Python plugin makes of requests, applications and their mistakes (PEP 3333), with one
 * interpreter for all tests. The applications are in tests/apps/python/wsgi_cases.py. How the
 * interpreter starts is tested in test-python-start.c. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../plugins/python/python-conf.h"
#include "plugin-host.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static const struct liege_plugin *plugin;

/* The application @name of wsgi_cases.py. */
static void *load(const char *name)
{
    struct liege_error err = {{0}};
    char source[128] = "";
    void *app = NULL;

    (void)snprintf(source, sizeof(source), "wsgi_cases:%s", name);
    if (plugin->load(source, &app, &err) < 0)
        fail_msg("%s: %s", source, err.text);
    return app;
}

/* Runs the application @name for "GET @target". */
static void get(struct exchange *x, const char *name, const char *target)
{
    plugin_host_clear_log();
    exchange_init(x, "GET", target);
    exchange_run(x, plugin, load(name));
}

/* Forgets the close() calls of tests before. */
static void reset_closes(void)
{
    struct exchange x;

    get(&x, "count_closes", "/");
    exchange_done(&x);
}

/* Asks the application @name and expects @answer. */
static void expect(const char *name, const char *target, const char *answer)
{
    struct exchange x;

    get(&x, name, target);
    assert_int_equal(x.status, 200);
    assert_true(x.ended);
    assert_string_equal(x.answer, answer);
    exchange_done(&x);
}

/* clang-format off */
static const struct answer_case {
    const char *app, *target;
    int status;         /* of the head that the host has in the end */
    const char *answer; /* NULL: the request failed */
    const char *log;    /* that must be in it; NULL: nothing is logged */
} answer_cases[] = {
    { "hello", "/", 200, "Hello, world\n", NULL },
    { "generator", "/", 200, "one two", NULL },
    { "late_start", "/", 202, "late", NULL },
    { "empty", "/", 204, "", NULL },
    { "tuple_of_pieces", "/", 200, "abc", NULL },
    { "closing", "/", 200, "ab", NULL },
    { "many_headers", "/", 200, "many", NULL },
    { "writes", "/", 200, "abc", NULL },
    { "writes_too_much", "/", 200, "abc", NULL },
    { "returns_too_much", "/x", 200, "abc", "4 /x: the body is longer than its Content-Length" },
    { "replaced_head", "/", 503, "replaced", NULL },
    { "keeps_first_head", "/", 200, "first", "3 a field that cannot be sent" },

    { "no_start", "/", 0, NULL, "AssertionError: start_response() was not called" },
    { "no_start_iterable", "/", 0, NULL, "AssertionError: start_response() was not called" },
    { "no_start_empty", "/", 0, NULL, "AssertionError: start_response() was not called" },
    { "closing_after_error", "/", 200, NULL, "ValueError: in the middle" },
    { "closing_other_type", "/", 200, NULL, "TypeError: the body has a str in it" },
    { "returns_bytes", "/", 200, NULL, "TypeError: the application returned a bytes" },
    { "returns_list_of_str", "/", 200, NULL, "TypeError: the body has a str in it" },
    { "returns_none", "/", 200, NULL, "TypeError: 'NoneType' object is not iterable" },
    { "raises", "/a?b", 0, NULL, "3 GET /a?b: the application failed\n3 Traceback" },
    { "raises", "/", 0, NULL, "ValueError: caf\xc3\xa9 \\udcff\n" },
    { "exits", "/", 0, NULL, "SystemExit: 3" },
    { "interrupts", "/", 0, NULL, "KeyboardInterrupt" },
    { "second_start", "/", 200, NULL, "AssertionError: start_response() was called a second" },
    { "replaced_too_late", "/", 200, NULL, "ValueError: too late" },
};

static const struct { const char *head, *exception; } bad_head_cases[] = {
    { "status_type", "TypeError" },   { "status_form", "ValueError" },
    { "status_range", "ValueError" }, { "status_joined", "ValueError" },
    { "headers_type", "TypeError" },  { "header_type", "TypeError" },
    { "header_size", "TypeError" },   { "name_type", "TypeError" },
    { "value_type", "TypeError" },    { "value_latin1", "ValueError" },
    { "value_control", "ValueError" },
};

static const struct { const char *source, *error; } load_cases[] = {
    { "wsgi_cases:missing", "wsgi_cases.py: module wsgi_cases has no attribute 'missing'" },
    { "wsgi_cases:Factory.missing", "module wsgi_cases has no attribute 'Factory.missing'" },
    { "wsgi_cases", "has no attribute 'application', nor 'app'" },
    { "wsgi_cases:not_callable", "'not_callable' is a int, which cannot be called" },
    { "wsgi_cases:factory('200 OK'", "SyntaxError: '(' was never closed" },
    { "wsgi_cases:factory(1, 2, 3)", "TypeError: factory() takes from 0 to 2" },
    { "no_such_module", "ModuleNotFoundError: No module named 'no_such_module'" },
    { "wsgi_cases.sub:app", "'wsgi_cases' is not a package" },
    { "syntax_error:application", "syntax_error.py:4: SyntaxError: expected ':'" },
    { "import_error", "import_error_inner.py:6: ValueError: not configured" },
    { "exits_at_import", "exits_at_import.py:4: SystemExit: 7" },
    { "./no_such_file.py", "FileNotFoundError: [Errno 2] No such file or directory" },
    { "/dev/null/x.py", "NotADirectoryError: [Errno 20] Not a directory: '/dev/null/x.py'" },
};
/* clang-format on */

static void test_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(answer_cases); i++) {
        const struct answer_case *c = &answer_cases[i];
        struct exchange x;

        get(&x, c->app, c->target);
        print_message("%s: %d %s\n", c->app, x.status, x.answer ? x.answer : "");
        assert_int_equal(x.status, c->status);
        assert_int_equal(x.failed, c->answer == NULL);
        assert_int_equal(x.ended, c->answer != NULL);
        if (c->answer)
            assert_string_equal(x.answer ? x.answer : "", c->answer);
        if (c->log && !strstr(plugin_host_log(), c->log))
            fail_msg("not in the log: %s\n%s", c->log, plugin_host_log());
        if (!c->log)
            assert_string_equal(plugin_host_log(), "");
        exchange_done(&x);
    }
}

static void test_bad_heads(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_head_cases); i++) {
        char target[64] = "";

        (void)snprintf(target, sizeof(target), "/?%s", bad_head_cases[i].head);
        print_message("%s\n", target);
        expect("bad_head", target, bad_head_cases[i].exception);
    }
}

static void test_load_failures(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(load_cases); i++) {
        struct liege_error err = {{0}};
        void *app = NULL;

        assert_true(plugin->load(load_cases[i].source, &app, &err) < 0);
        assert_null(app);
        if (!strstr(err.text, load_cases[i].error))
            fail_msg("%s: %s", load_cases[i].source, err.text);
    }
}

/* A failure puts the whole traceback into the log, a good load nothing. */
static void test_load_logs_traceback(void **state)
{
    (void)state;
    struct liege_error err = {{0}};
    void *app = NULL;

    plugin_host_clear_log();
    assert_true(plugin->load("import_error", &app, &err) < 0);
    assert_non_null(strstr(plugin_host_log(), "Traceback (most recent call last):"));
    assert_non_null(strstr(plugin_host_log(), "import_error.py\", line 4, in <module>"));
    assert_non_null(strstr(plugin_host_log(), "3 ValueError: not"));
}

static void test_load_expressions(void **state)
{
    (void)state;
    struct liege_error err = {{0}};
    void *app = NULL;

    expect("Factory.application", "/", "Hello, world\n");
    expect("factory()", "/", "made");
    expect("factory(body='by ' 'arguments')", "/", "by arguments");
    assert_int_equal(plugin->load("only_app", &app, &err), 0);
}

/* The same file twice is one module, a file of the same name elsewhere another. */
static void test_load_files(void **state)
{
    (void)state;
    struct exchange x;
    struct liege_error err = {{0}};
    char path[1024] = "";
    void *app = NULL, *again = NULL;

    (void)snprintf(path, sizeof(path), "%s/plain_file.wsgi", getenv("LIEGE_TEST_APPS"));
    assert_int_equal(plugin->load(path, &app, &err), 0);
    assert_int_equal(plugin->load(path, &again, &err), 0);
    assert_ptr_equal(app, again);
    exchange_init(&x, "GET", "/");
    exchange_run(&x, plugin, app);
    assert_non_null(strstr(x.answer, "uwsgi_file_"));
    assert_non_null(strstr(x.answer, "_plain_file_wsgi plain_file.wsgi 1"));
    exchange_done(&x);
}

static void test_validator(void **state)
{
    (void)state;
    static const char text[] = "12345 first\nsecond\nthird\nfourth";
    struct exchange x;

    plugin_host_clear_log();
    exchange_init(&x, "POST", "/path?query");
    exchange_add_field(&x, LIEGE_FIELD_CONTENT_TYPE, "Content-Type", "text/plain");
    exchange_add_field(&x, LIEGE_FIELD_HOST, "Host", "localhost");
    exchange_set_body(&x, text, strlen(text));
    exchange_run(&x, plugin, load("validated"));
    assert_string_equal(x.answer, "12345| first\n|second\n|third\nfourth#end");
    assert_string_equal(plugin_host_log(), "3 one\n3 two\n3 three\n");
    assert_true(x.ended);
    exchange_done(&x);
}

static void assert_in(const char *text, const char *line)
{
    if (!strstr(text, line))
        fail_msg("%s is not in\n%s", line, text);
}

static void test_environ(void **state)
{
    (void)state;
    struct exchange x;

    exchange_init(&x, "PUT", "/caf%C3%A9?a=b%20c");
    x.req.path = (struct liege_str){.data = "/caf\xc3\xa9", .len = 6};
    x.req.script_name = (struct liege_str){.data = "/mount", .len = 6};
    x.req.scheme = (struct liege_str){.data = "https", .len = 5};
    exchange_add_field(&x, LIEGE_FIELD_HOST, "Host", "example.org");
    exchange_add_field(&x, LIEGE_FIELD_COOKIE, "cookie", "a=b");
    exchange_add_field(&x, LIEGE_FIELD_CONTENT_TYPE, "Content-Type", "a/b");
    exchange_add_field(&x, LIEGE_FIELD_OTHER, "x-Some-Thing", "\xe9");
    exchange_set_body(&x, "", 0);
    exchange_run(&x, plugin, load("show_environ"));
    assert_string_equal(exchange_field(&x, "X-Type"), "dict");
    /* clang-format off */
    static const char *const lines[] = {
        "REQUEST_METHOD='PUT'\n",              "SCRIPT_NAME='/mount'\n",
        "PATH_INFO='/caf\xc3\x83\xc2\xa9'\n",  "QUERY_STRING='a=b%20c'\n",
        "REQUEST_URI='/caf%C3%A9?a=b%20c'\n",  "CONTENT_LENGTH='0'\n",
        "CONTENT_TYPE='a/b'\n",                "HTTPS='on'\n",
        "HTTP_HOST='example.org'\n",           "HTTP_COOKIE='a=b'\n",
        "HTTP_X_SOME_THING='\xc3\xa9'\n",      "SERVER_NAME='localhost'\n",
        "SERVER_PORT='8080'\n",                "SERVER_PROTOCOL='HTTP/1.1'\n",
        "REMOTE_ADDR='127.0.0.1'\n",           "REMOTE_PORT='54321'\n",
        "SERVER_SOFTWARE='liege/9.8.7'\n",     "wsgi.version=(1, 0)\n",
        "wsgi.url_scheme='https'\n",           "wsgi.multithread=False\n",
        "wsgi.multiprocess=True\n",            "wsgi.run_once=False\n",
        "wsgi.input_terminated=True\n",        "uwsgi.version=b'9.8.7'\n",
    };
    /* clang-format on */
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        assert_in(x.answer, lines[i]);
    exchange_done(&x);
}

/* What a web server in front says beyond the request is there and replaces nothing. */
static void test_environ_vars(void **state)
{
    (void)state;
    static const struct liege_var vars[] = {
        {{"SSL_CLIENT_VERIFY", 17}, {"NONE", 4}}, {{"SSL_CLIENT_VERIFY", 17}, {"SUCCESS", 7}},
        {{"secret.empty", 12}, {NULL, 0}},        {{"wsgi.url_scheme", 15}, {"forged", 6}},
        {{"wsgi.input", 10}, {"forged", 6}},      {{"SERVER_SOFTWARE", 15}, {"forged", 6}},
        {{"HTTP_HOST", 9}, {"forged", 6}},
    };
    struct exchange x;

    exchange_init(&x, "GET", "/");
    exchange_add_field(&x, LIEGE_FIELD_HOST, "Host", "example.org");
    x.req.vars = vars;
    x.req.n_vars = COUNT_OF(vars);
    exchange_run(&x, plugin, load("show_environ"));
    assert_in(x.answer, "SSL_CLIENT_VERIFY='SUCCESS'\n");
    assert_in(x.answer, "secret.empty=''\n");
    assert_in(x.answer, "HTTP_HOST='example.org'\n");
    assert_null(strstr(x.answer, "forged"));
    exchange_done(&x);
}

/* Nothing of a request is left for the next one. */
static void test_environ_is_fresh(void **state)
{
    (void)state;
    struct exchange x;

    exchange_init(&x, "GET", "/first?q");
    exchange_add_field(&x, LIEGE_FIELD_COOKIE, "cookie", "secret=1");
    exchange_add_field(&x, LIEGE_FIELD_OTHER, "x-secret", "2");
    exchange_set_body(&x, "", 0);
    exchange_run(&x, plugin, load("show_environ"));
    exchange_done(&x);

    get(&x, "show_environ", "/second");
    assert_null(strstr(x.answer, "secret"));
    assert_null(strstr(x.answer, "SECRET"));
    assert_null(strstr(x.answer, "CONTENT_LENGTH"));
    assert_in(x.answer, "QUERY_STRING=''\n");
    assert_in(x.answer, "PATH_INFO='/second'\n");
    exchange_done(&x);

    expect("change_environ", "/fresh", "fresh");
    expect("change_environ", "/fresh", "fresh");
}

/* More names than the table of cached names has places, and one too long for it. */
static void test_header_names(void **state)
{
    (void)state;
    char long_name[301] = "", line[400] = "HTTP_";
    struct exchange x;

    for (int i = 0; i < 1000; i++) {
        char name[32] = "", expected[64] = "";

        (void)snprintf(name, sizeof(name), "x-name-%d", i);
        (void)snprintf(expected, sizeof(expected), "HTTP_X_NAME_%d='%d'\n", i, i);
        exchange_init(&x, "GET", "/");
        exchange_add_field(&x, LIEGE_FIELD_OTHER, name, expected + strcspn(expected, "'"));
        x.fields[0].value = (struct liege_str){.data = name + 7, .len = strlen(name) - 7};
        exchange_run(&x, plugin, load("show_environ"));
        assert_in(x.answer, expected);
        exchange_done(&x);
    }
    memset(long_name, 'z', sizeof(long_name) - 1);
    memset(line + 5, 'Z', sizeof(long_name) - 1);
    exchange_init(&x, "GET", "/");
    exchange_add_field(&x, LIEGE_FIELD_OTHER, long_name, "v");
    exchange_run(&x, plugin, load("show_environ"));
    assert_in(x.answer, line);
    exchange_done(&x);
}

static void test_input_methods(void **state)
{
    (void)state;
    static const char text[] = "abcdef\nline\nrest\nlast";
    struct exchange x;

    exchange_init(&x, "POST", "/");
    exchange_set_body(&x, text, strlen(text));
    exchange_run(&x, plugin, load("read_sizes"));
    assert_string_equal(x.answer,
                        "[b'', b'abc', b'de', b'f\\n', b'line\\n', b'rest\\nlast', b'', b'', "
                        "[b'abcdef\\n', b'line\\n', b'rest\\n', b'last'], 18, b'ast', []]");
    exchange_done(&x);
}

static void test_big_body(void **state)
{
    (void)state;
    size_t len = 20U << 20;
    char *data = malloc(len);
    struct exchange x;

    assert_non_null(data);
    memset(data, 'x', len);
    data[0] = 'a';
    data[len - 1] = 'z';
    exchange_init(&x, "POST", "/");
    exchange_set_body(&x, data, len);
    exchange_run(&x, plugin, load("big_body"));
    assert_string_equal(exchange_field(&x, "X-Length"), "20971520");
    assert_int_equal(x.answer_len, len);
    assert_memory_equal(x.answer, data, len);
    exchange_done(&x);
    free(data);
}

static void test_single_piece_is_the_end(void **state)
{
    (void)state;
    struct exchange x;

    get(&x, "hello", "/");
    assert_int_equal(x.n_writes, 0);
    exchange_done(&x);
    get(&x, "generator", "/");
    assert_int_equal(x.n_writes, 2); /* the empty piece is none */
    exchange_done(&x);
}

static void test_heads(void **state)
{
    (void)state;
    struct exchange x;

    get(&x, "replaced_head", "/");
    assert_string_equal(x.reason, "Busy");
    assert_null(exchange_field(&x, "X-First"));
    assert_string_equal(exchange_field(&x, "X-Second"), "2");
    exchange_done(&x);

    get(&x, "many_headers", "/");
    assert_string_equal(exchange_field(&x, "X-99"), "caf\xe9");
    exchange_done(&x);

    get(&x, "tuple_of_pieces", "/");
    assert_string_equal(x.reason, "");
    exchange_done(&x);

    get(&x, "keeps_first_head", "/");
    assert_string_equal(exchange_field(&x, "X-First"), "1");
    exchange_done(&x);
}

static void test_close_is_called_once(void **state)
{
    (void)state;
    static const char *const apps[] = {"closing", "closing_after_error", "closing_other_type",
                                       "no_start_iterable", "returns_too_much"};

    reset_closes();
    for (size_t i = 0; i < COUNT_OF(apps); i++) {
        struct exchange x;

        get(&x, apps[i], "/");
        exchange_done(&x);
        expect("count_closes", "/", "1");
    }
}

/* An exception in close() is logged; a body that is whole stays so. */
static void test_close_raises(void **state)
{
    (void)state;
    struct exchange x;

    exchange_init(&x, "GET", "/");
    x.break_after = 6;
    plugin_host_clear_log();
    exchange_run(&x, plugin, load("closing_fails"));
    assert_in(plugin_host_log(), "KeyError: 'in close'");
    exchange_done(&x);
}

/* A client that goes away is not an error of the application. */
static void test_client_is_gone(void **state)
{
    (void)state;
    struct exchange x;

    reset_closes();
    exchange_init(&x, "GET", "/");
    x.break_after = 25;
    plugin_host_clear_log();
    exchange_run(&x, plugin, load("iterate_to_gone_client"));
    assert_int_equal(x.n_writes, 3);
    assert_false(x.failed);
    assert_string_equal(plugin_host_log(), "");
    exchange_done(&x);
    expect("count_closes", "/", "1");

    exchange_init(&x, "GET", "/");
    x.break_after = 25;
    exchange_run(&x, plugin, load("write_to_gone_client"));
    assert_int_equal(x.n_writes, 3);
    assert_string_equal(plugin_host_log(), "");
    exchange_done(&x);
    expect("show_kept", "/?write", "BrokenPipeError");
}

static void test_kept_objects(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        expect("keep_objects", "/", "kept");
        expect("hello", "/", "Hello, world\n");
        expect("use_kept_objects", "/",
               "RuntimeError RuntimeError ValueError ValueError ValueError ValueError");
    }
}

static void test_file_wrapper(void **state)
{
    (void)state;
    struct exchange x;

    get(&x, "send_file", "/?3");
    assert_string_equal(x.answer, "3456789");
    assert_int_equal(x.n_files, 1);
    assert_int_equal(x.n_writes, 0);
    exchange_done(&x);
    expect("file_is_closed", "/", "True");

    expect("send_file", "/", "0123456789");
    expect("send_file", "/?10", "");
    expect("send_file_unflushed", "/", "23456789");
    expect("send_file_part", "/", "012");
    expect("send_memory", "/", "0123456789");
    expect("send_gzip", "/", "unpacked");
}

static void test_errors_stream(void **state)
{
    (void)state;
    expect("write_errors", "/", "0");
    assert_string_equal(plugin_host_log(), "3 begun line\n3 next caf\xc3\xa9 \\udcff\n");
}

static void test_module(void **state)
{
    (void)state;
    expect("module", "/",
           "('9.8.7', 2, 3, 4711, {'master': True, 'env': [b'A=1', b'B=2', b'C=3'], "
           "'processes': b'2'})");
    assert_string_equal(plugin_host_log(), "6 from the application\n6 reload\n");
}

/* In the child of test_fork(). */
static bool child_works(void)
{
    struct exchange x;
    bool ok;

    plugin->after_fork_child();
    plugin->wait_begin();
    plugin->wait_end();
    get(&x, "show_process", "/");
    ok = x.answer && strcmp(x.answer, "['before', 'child'] 1") == 0;
    if (!ok)
        (void)fprintf(stderr, "child: %s\n", x.answer ? x.answer : "no answer");
    exchange_done(&x);
    return ok;
}

static void test_fork(void **state)
{
    (void)state;
    int status = -1;
    pid_t pid;

    plugin->before_fork();
    pid = fork();
    if (pid == 0)
        _exit(child_works() ? 0 : 1);
    plugin->after_fork_parent();
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    expect("show_process", "/", "['before', 'parent'] 1");
}

static int start(void **state)
{
    (void)state;
    static char apps[1024];
    static char *paths[] = {apps, NULL};
    static struct python_conf conf = {.pythonpath = {.items = paths, .n_items = 1}};
    struct liege_error err = {{0}};
    int r;

    (void)snprintf(apps, sizeof(apps), "%s", getenv("LIEGE_TEST_APPS"));
    plugin = plugin_host_open();
    assert_int_equal(plugin->conf_size, sizeof(conf));
    r = plugin->start(plugin_host(), &conf, &err);
    if (r < 0)
        fail_msg("%s", err.text);
    return r;
}

static int stop(void **state)
{
    (void)state;
    plugin->stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_bad_heads),
        cmocka_unit_test(test_load_failures),
        cmocka_unit_test(test_load_logs_traceback),
        cmocka_unit_test(test_load_expressions),
        cmocka_unit_test(test_load_files),
        cmocka_unit_test(test_validator),
        cmocka_unit_test(test_environ),
        cmocka_unit_test(test_environ_vars),
        cmocka_unit_test(test_environ_is_fresh),
        cmocka_unit_test(test_header_names),
        cmocka_unit_test(test_input_methods),
        cmocka_unit_test(test_big_body),
        cmocka_unit_test(test_single_piece_is_the_end),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_close_is_called_once),
        cmocka_unit_test(test_close_raises),
        cmocka_unit_test(test_client_is_gone),
        cmocka_unit_test(test_kept_objects),
        cmocka_unit_test(test_file_wrapper),
        cmocka_unit_test(test_errors_stream),
        cmocka_unit_test(test_module),
        cmocka_unit_test(test_fork),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
