/* SPDX-License-Identifier: MIT */
/* The Perl plugin in the host of plugin-host.h: requests in, answers out.
 *
 *   test-perl-plugin APPS plack|no-plack
 *
 * APPS is the folder of the applications. There is one interpreter in a process, so it is started
 * once, and each of the two ways of loading is a run of its own. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../plugins/perl/perl-conf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/macro.h"
#include "plugin-host.h"

static const struct liege_plugin *plugin;
static const char *apps_dir;
static bool no_plack;
static struct perl_conf conf;

static const char *app_path(const char *name)
{
    static char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", apps_dir, name);
    return path;
}

/* Loads the application @name; kinds.psgi and input.psgi are loaded only once. */
static void *load(const char *name)
{
    static void *kinds, *input;
    void **known = strcmp(name, "kinds.psgi") == 0   ? &kinds
                   : strcmp(name, "input.psgi") == 0 ? &input
                                                     : NULL;
    struct liege_error err = {""};
    void *app = NULL;

    if (known && *known)
        return *known;
    if (plugin->load(app_path(name), &app, &err) < 0)
        fail_msg("%s", err.text);
    if (known)
        *known = app;
    return app;
}

/* Has @app answer a GET of @target, or what the caller has added to it. */
static void call(struct exchange *x, void *app)
{
    plugin_host_clear_log();
    exchange_run(x, plugin, app);
    assert_true(x->ended || x->failed || x->break_after != SIZE_MAX);
}

/* The body of the answer to a plain GET. */
static char *get(void *app, const char *target)
{
    struct exchange x;

    exchange_init(&x, "GET", target);
    call(&x, app);
    assert_true(x.ended);
    return x.answer;
}

static void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static void test_responses(void **state)
{
    (void)state;
    static const struct {
        const char *path, *body, *head;
        int status;
    } cases[] = {
        {"/array", "one piece", "Content-Type: text/plain\n", 200},
        {"/empty", "", NULL, 200},
        {"/pieces", "ab3", "Content-Type: text/plain\n", 200},
        {"/latin", "\xe9", NULL, 200},
        {"/no-content", "", "", 204},
        {"/headers", "h", "X-A: 1\nX-A: 2\nX-O: failure number 7\n", 200},
        {"/memory", "in memory", NULL, 200},
        {"/records", "123", NULL, 200},
        {"/closed", "1", NULL, 200},
        {"/separator", "\n", NULL, 200},
        {"/delayed", "later", "Content-Type: text/plain\n", 200},
        {"/stream", "abc", NULL, 200},
        {"/after", "falsefalse", NULL, 200},
        {"/stream-open", "not closed", NULL, 200},
        {"/keep", "kept", NULL, 200},
        {"/die-caught", "caught", NULL, 200},
        {"/fork", "7", NULL, 200},
        {"/change-env", "changed", NULL, 200},
        {"/change-env", "changed", NULL, 200},
        {"/overwrite", "overwritten", NULL, 200},
        {"/started", "local first.pl was first", NULL, 200},
        {"/plack-env", "deployment liege", NULL, 200},
        {"/nothing", "no such kind", NULL, 404},
    };
    void *app = load("kinds.psgi");

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct exchange x;

        exchange_init(&x, "GET", cases[i].path);
        print_message("%s\n", cases[i].path);
        call(&x, app);
        assert_true(x.ended);
        assert_string_equal(plugin_host_log(), "");
        assert_int_equal(x.status, cases[i].status);
        assert_string_equal(x.answer, cases[i].body);
        if (cases[i].head)
            assert_string_equal(x.head, cases[i].head);
        exchange_done(&x);
    }
}

static void test_pieces(void **state)
{
    (void)state;
    void *app = load("kinds.psgi");
    struct exchange small, large, many;

    exchange_init(&small, "GET", "/pieces");
    exchange_init(&large, "GET", "/large");
    exchange_init(&many, "GET", "/many-headers");
    call(&small, app);
    assert_int_equal(small.n_writes, 0); /* one piece, whose length the server knows */
    call(&large, app);
    assert_int_equal(large.n_writes, 1);
    assert_int_equal(large.answer_len, 80000);
    assert_contains(large.head, "Content-Length: 80000\n");
    call(&many, app);
    assert_contains(many.head, "X-1: 1\n");
    assert_contains(many.head, "X-100: 100\n");
    exchange_done(&small);
    exchange_done(&large);
    exchange_done(&many);
}

static void test_files(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        size_t offset, len; /* 0: to the end */
        int n_files;
    } cases[] = {
        {"/file", 0, 0, 1},         {"/file-offset", 7, 0, 1}, {"/file-part", 2, 3, 1},
        {"/file-encoded", 0, 0, 0}, {"/file-path", 0, 0, 1},
    };
    _cleanup_free_ char *file = NULL;
    size_t len = 0;
    void *app = load("kinds.psgi");

    assert_return_code(file_read_all(app_path("kinds.psgi"), 1 << 20, &file, &len), 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct exchange x;

        exchange_init(&x, "GET", cases[i].path);
        size_t part = cases[i].len > 0 ? cases[i].len : len - cases[i].offset;
        char expected[64];

        print_message("%s\n", cases[i].path);
        call(&x, app);
        assert_true(x.ended);
        assert_int_equal(x.n_files, cases[i].n_files);
        assert_int_equal(x.answer_len, part);
        assert_memory_equal(x.answer, file + cases[i].offset, part);
        (void)snprintf(expected, sizeof(expected), "Content-Length: %zu\n", part);
        if (x.n_files > 0)
            assert_contains(x.head, expected);
        exchange_done(&x);
    }

    _cleanup_free_ char *upper = get(app, "/file-upper");
    assert_contains(upper, "# EVERY KIND OF RESPONSE");
}

static void test_failures(void **state)
{
    (void)state;
    static const struct {
        const char *path, *log;
    } cases[] = {
        {"/die", "GET /die: out of ideas at "},
        {"/die", "nested called at "},
        {"/die-object", "GET /die-object: failure number 3"},
        {"/wide", "wide character in the response"},
        {"/wide-write", "wide character in the response"},
        {"/late", "the responder was called after its request had ended"},
        {"/silent", "did not call the responder"},
        {"/stream-dies", "GET /stream-dies: in the stream"},
        {"/exit", "exit(3) was called by the application at "},
        {"/undef", "neither an array nor code"},
        {"/hash", "neither an array nor code"},
        {"/short", "not an array of status, headers and body"},
        {"/no-body", "the body of the response is neither"},
        {"/file-none", "Can't locate object method \"getline\""},
        {"/odd-headers", "not pairs"},
        {"/no-headers", "headers of the response are not an array"},
        {"/status-100", "the status of the response is '100'"},
        {"/status-text", "the status of the response is 'fine'"},
        {"/bad-header", ""}, /* the server itself says why */
    };
    void *app = load("kinds.psgi");

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct exchange x;

        exchange_init(&x, "GET", cases[i].path);
        print_message("%s\n", cases[i].path);
        call(&x, app);
        assert_true(x.failed);
        assert_contains(plugin_host_log(), cases[i].log);
        exchange_done(&x);
    }

    struct exchange twice;

    exchange_init(&twice, "GET", "/twice");
    call(&twice, app);
    assert_true(twice.ended); /* the first answer is out */
    assert_string_equal(twice.answer, "once");
    assert_contains(plugin_host_log(), "called twice");
    exchange_done(&twice);
}

static void test_client_gone(void **state)
{
    (void)state;
    void *app = load("kinds.psgi");
    struct exchange x;

    exchange_init(&x, "GET", "/stream-gone");
    x.break_after = 250;
    call(&x, app);
    assert_false(x.ended || x.failed);
    assert_string_equal(plugin_host_log(), "");
    exchange_done(&x);
    _cleanup_free_ char *writes = get(app, "/writes");
    assert_string_equal(writes, "2");

    struct exchange records;

    exchange_init(&records, "GET", "/records");
    records.break_after = 1;
    call(&records, app);
    assert_string_equal(records.answer, "1");
    exchange_done(&records);
    _cleanup_free_ char *closed = get(app, "/closed");
    assert_string_equal(closed, "1");
}

static void test_env(void **state)
{
    (void)state;
    static const char *const expected[] = {
        "CONTENT_LENGTH=4\n",         "CONTENT_TYPE=text/x\n",
        "HTTP_HOST=example.org\n",    "HTTP_X_FOO_BAR=baz\n",
        "PATH_INFO=/env\n",           "QUERY_STRING=a=%20b\n",
        "REMOTE_ADDR=127.0.0.1\n",    "REMOTE_PORT=54321\n",
        "REQUEST_METHOD=POST\n",      "SCRIPT_NAME=/mount\n",
        "SERVER_NAME=localhost\n",    "SERVER_PORT=8080\n",
        "psgi.multiprocess=1\n",      "REQUEST_URI=/mount/%65nv?a=%20b\n",
        "SERVER_PROTOCOL=HTTP/1.1\n", "psgi.multithread=\n",
        "SERVER_SOFTWARE=liege/",     "psgi.nonblocking=\n",
        "psgi.run_once=\n",           "psgi.streaming=1\n",
        "psgi.url_scheme=https\n",    "psgi.version=1 1\n",
        "psgix.cleanup=1\n",          "psgix.cleanup.handlers=\n",
        "psgix.input.buffered=1\n",   "SSL_CLIENT_VERIFY=SUCCESS\n"};
    static const struct liege_var vars[] = {
        {{"SSL_CLIENT_VERIFY", 17}, {"NONE", 4}}, {{"SSL_CLIENT_VERIFY", 17}, {"SUCCESS", 7}},
        {{"psgi.url_scheme", 15}, {"forged", 6}}, {{"SERVER_SOFTWARE", 15}, {"forged", 6}},
        {{"psgi.input", 10}, {"forged", 6}},      {{"HTTP_HOST", 9}, {"forged", 6}},
    };
    void *app = load("kinds.psgi");
    struct exchange x, bare;

    exchange_init(&x, "POST", "/env?a=%20b");
    exchange_add_field(&x, LIEGE_FIELD_HOST, "Host", "example.org");
    exchange_add_field(&x, LIEGE_FIELD_OTHER, "X-Foo-Bar", "baz");
    exchange_add_field(&x, LIEGE_FIELD_CONTENT_TYPE, "content-type", "text/x");
    exchange_set_body(&x, "body", 4);
    x.req.target = (struct liege_str){"/mount/%65nv?a=%20b", 19};
    x.req.script_name = (struct liege_str){"/mount", 6};
    x.req.scheme = (struct liege_str){"https", 5};
    x.req.vars = vars;
    x.req.n_vars = COUNT_OF(vars);
    call(&x, app);
    for (size_t i = 0; i < COUNT_OF(expected); i++)
        assert_contains(x.answer, expected[i]);
    assert_null(strstr(x.answer, "forged"));
    exchange_done(&x);

    exchange_init(&bare, "GET", "/env");
    bare.req.remote_addr = bare.req.remote_port = (struct liege_str){0};
    call(&bare, app);
    assert_contains(bare.answer, "QUERY_STRING=\n");
    assert_contains(bare.answer, "SCRIPT_NAME=\n");
    assert_null(strstr(bare.answer, "CONTENT_LENGTH"));
    assert_null(strstr(bare.answer, "REMOTE"));
    exchange_done(&bare);
}

/* A request that has all that one can have. */
static void play(void *app, const char *trick)
{
    static char cookie[8001], target[64];
    struct exchange x;

    for (size_t i = 0; i + 4 < sizeof(cookie); i += 4)
        memcpy(cookie + i, "long", 4);
    (void)snprintf(target, sizeof(target), "/%%C3%%A4?%s", trick);
    exchange_init(&x, "POST", target);
    exchange_add_field(&x, LIEGE_FIELD_HOST, "Host", "example.org");
    exchange_add_field(&x, LIEGE_FIELD_COOKIE, "Cookie", cookie);
    exchange_add_field(&x, LIEGE_FIELD_OTHER, "X-Secret", "1");
    exchange_set_body(&x, "body", 4);
    call(&x, app);
    exchange_done(&x);
}

/* Whatever an application does to its environment, the next request's is as the first one's was,
 * and what it keeps of it stays as it was. */
static void test_env_is_like_new(void **state)
{
    (void)state;
    void *app = load("environment.psgi");
    _cleanup_free_ char *first = get(app, "/plain"), *tricks = get(app, "/tricks");
    unsigned n = 0;

    assert_contains(first, "PATH_INFO=/plain");
    for (char *rest = tricks, *trick = NULL; (trick = strsep(&rest, " ")); n++) {
        print_message("%s\n", trick);
        for (int again = 0; again < 10; again++) {
            play(app, trick);
            _cleanup_free_ char *then = get(app, "/plain"), *wrong = get(app, "/kept");
            assert_string_equal(then, first);
            assert_string_equal(wrong, "");
        }
    }
    assert_true(n > 40);
}

static void test_input(void **state)
{
    (void)state;
    static const struct {
        const char *path, *body, *expected;
    } cases[] = {
        {"/read", "0123456789", "01234|"},
        {"/read", "", "|"},
        {"/read-all", "0123456789", "0123456789"},
        {"/read-off", "0123", "abc..01"},
        {"/read-neg", "0123", "ab01"},
        {"/read-short", "0123", "01"},
        {"/read-hash", "012345", "0123"},
        {"/read-huge", "0123456789", "0123456789"},
        {"/seek", "0123", "4 end ok 2 ok 3 ok 3 no no more"},
        {"/lines", "one\ntwo\n\nthree", "one\n|two\n|\n|three"},
        {"/slurp", "one\ntwo\n", "one\ntwo\n"},
        {"/records", "0123456789", "0123|4567|89"},
        {"/paragraphs", "\n\na\nb\n\n\n\nc\n", "a\nb\n\n|c\n"},
        {"/separated", "a--b-c----d", "a--|b-c--|--|d"},
        {"/at-end", "0123", "undef"},
        {"/builtins", "012 line\nx\ny", "2|01|2| line\n|2|x\n|y|end|none"},
        {"/stdin", "one\ntwo\n", "one|\ntwo\n"},
        {"/left", "", "left"},
        {"/found", "", "nothing"},
        {"/reblessed", "", "Reblessed"},
        {"/class", "", "liege::input"},
        {"/keep", "0123", "kept"},
        {"/kept", "0123", "0 0 0 end undef no"},
        {"/forged", "0123", "0"},
        {"/content", "a whole body", "a whole body"},
    };
    void *app = load("input.psgi");

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct exchange x;

        exchange_init(&x, "GET", cases[i].path);
        print_message("%s\n", cases[i].path);
        exchange_set_body(&x, cases[i].body, strlen(cases[i].body));
        call(&x, app);
        assert_string_equal(plugin_host_log(), "");
        assert_string_equal(x.answer, cases[i].expected);
        exchange_done(&x);
    }
    for (const char *const *path = (const char *const[]){"/read-past", "/read-wide", NULL}; *path;
         path++) {
        struct exchange x;

        exchange_init(&x, "GET", *path);
        call(&x, app);
        assert_true(x.failed);
        exchange_done(&x);
    }
}

static void test_long_line(void **state)
{
    (void)state;
    static char text[100000];
    void *app = load("input.psgi");
    struct exchange x;

    exchange_init(&x, "GET", "/separated");
    memset(text, 'x', sizeof(text) - 1);
    text[50000] = text[50001] = '-';
    exchange_set_body(&x, text, strlen(text));
    call(&x, app);
    assert_int_equal(x.answer_len, sizeof(text)); /* and one '|' */
    assert_memory_equal(x.answer + 50000, "--|x", 4);
    exchange_done(&x);
}

static void test_log(void **state)
{
    (void)state;
    static const struct {
        const char *path, *expected;
    } cases[] = {
        {"/errors", "4 half a line, and the rest\n4 number 5\n"},
        {"/logger", "3 from the logger\n"},
    };
    void *app = load("kinds.psgi");

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        free(get(app, cases[i].path));
        assert_string_equal(plugin_host_log(), cases[i].expected);
    }
}

static void test_cleanup(void **state)
{
    (void)state;
    void *app = load("kinds.psgi");

    free(get(app, "/cleanup"));
    assert_contains(plugin_host_log(), "cleanup of GET /cleanup: cleanup failed");
    _cleanup_free_ char *cleaned = get(app, "/cleaned");
    assert_string_equal(cleaned, "/cleanup same, third");
}

static void test_server_functions(void **state)
{
    (void)state;
    void *app = load("kinds.psgi");
    _cleanup_free_ char *text = get(app, "/server");

    assert_string_equal(text, "3 3 4711 9.8.7 2 A=1 B=2 C=3 reloaded first argument second");
}

static void test_several_apps(void **state)
{
    (void)state;
    void *hello = load("hello.psgi"), *component = load("component.psgi");
    void *overloaded = load("overloaded.psgi");
    struct exchange x;

    exchange_init(&x, "GET", "/");
    x.req.script_name = (struct liege_str){"/second", 7};
    call(&x, component);
    assert_string_equal(x.answer, "from a component at /second");
    exchange_done(&x);
    _cleanup_free_ char *first = get(hello, "/");
    _cleanup_free_ char *expected = NULL;
    assert_true(
        asprintf(&expected, "hello from hello.psgi, started as %s\n", app_path("hello.psgi")) > 0);
    assert_string_equal(first, expected);
    _cleanup_free_ char *called = get(overloaded, "/");
    assert_string_equal(called, "called object");
}

static void test_load_errors(void **state)
{
    (void)state;
    static const struct {
        const char *file, *error; /* after the path */
    } cases[] = {
        {"syntax-error.psgi", ":5: syntax error, near \"= ;\""},
        {"dies.psgi", ":3: no configuration"},
        {"no-module.psgi", ":3: Can't locate Liege/Test/NoSuchModule.pm in @INC"},
        {"not-code.psgi", ": the last value of the file is a reference to ARRAY"},
        {"false.psgi", ": the last value of the file is "},
        {"exits.psgi", ":2: exit(4) was called by the application"},
        {"missing.psgi", ": No such file or directory"},
        {".", ": is a directory"},
    };

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct liege_error err = {""};
        char expected[PATH_MAX + 256];
        void *app = NULL;

        plugin_host_clear_log();
        assert_true(plugin->load(app_path(cases[i].file), &app, &err) < 0);
        assert_null(app);
        (void)snprintf(expected, sizeof(expected), "%s%s", app_path(cases[i].file), cases[i].error);
        if (strcmp(cases[i].file, ".") != 0)
            assert_contains(err.text, expected);
        assert_contains(err.text, cases[i].error);
        assert_contains(plugin_host_log(), "3 ");
    }
}

/* Runs in a child of the test. */
static int forked_worker(void *app)
{
    struct liege_error err = {""};

    plugin->after_fork_child();
    if (plugin->worker_start(&err) < 0)
        return 1;
    _cleanup_free_ char *text = get(app, "/forked");
    _cleanup_free_ char *random = get(app, "/random");
    char expected[64];
    (void)snprintf(expected, sizeof(expected), "%d script 3", (int)getpid());
    (void)fprintf(stderr, "%s\n", random);
    return strcmp(text, expected) == 0 ? 0 : 2;
}

static void test_fork(void **state)
{
    (void)state;
    void *app = load("kinds.psgi");
    _cleanup_free_ char *parent = get(app, "/random");
    _cleanup_free_ char *child = NULL;
    size_t len = 0;
    int fds[2], status = 0;

    assert_return_code(pipe(fds), 0);
    plugin->before_fork();
    pid_t pid = fork();
    if (pid == 0) {
        (void)dup2(fds[1], STDERR_FILENO);
        _exit(forked_worker(app));
    }
    (void)close(fds[1]);
    assert_return_code(fd_read_all(fds[0], 4096, &child, &len), 0);
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    _cleanup_free_ char *next = get(app, "/random");
    assert_string_not_equal(next, parent);
    assert_null(strstr(child, next)); /* the child does not go on with the parent's sequence */
}

static void test_worker_start_error(void **state)
{
    char *script = conf.exec_post_fork.items[0];
    struct liege_error err = {""};

    (void)state;
    conf.exec_post_fork.items[0] = strdup(app_path("dies.psgi"));
    assert_true(plugin->worker_start(&err) < 0);
    assert_contains(err.text, "dies.psgi:3: no configuration");
    free(conf.exec_post_fork.items[0]);
    conf.exec_post_fork.items[0] = script;
}

/* The interpreter of a base vassal in an adopted one */

static void assert_value(void *app, const char *expression, const char *value)
{
    char target[256];

    (void)snprintf(target, sizeof(target), "/?%s", expression);
    _cleanup_free_ char *answer = get(app, target);
    assert_string_equal(answer, value);
}

static const struct liege_host *change_host(void)
{
    static const struct liege_setting settings[] = {{"adopted", "1"}, {"chdir", "/"}};
    struct liege_host *host = plugin_host();

    host->settings = settings;
    host->n_settings = COUNT_OF(settings);
    host->multiprocess = false;
    return host;
}

/* The configuration of the adopted vassal. */
static const struct perl_conf *change_conf(void)
{
    static char own[] = "its own";
    static char *args[] = {own, NULL}, *exec[2];
    static struct perl_conf adopted;

    exec[0] = strdup(app_path("second.pl"));
    adopted = (struct perl_conf){
        .psgi = strdup("evaluate.psgi"),
        .args = {args, 1},
        .exec = {exec, 1},
        .local_lib = strdup("/its/lib"),
        .no_die_catch = true,
        .no_plack = no_plack,
    };
    return &adopted;
}

static void test_adopt(void **state)
{
    static const char *const values[][2] = {
        {"join ',', map { \"$_=$ENV{$_}\" } sort keys %ENV",
         "EMPTY=,ONLY_HERE=a=b,PERL5LIB=/its/lib/lib/perl5,PLACK_ENV=deployment,"
         "PLACK_SERVER=liege"},
        {"$main::environment == \\%ENV", "1"},
        {"`echo \\$ONLY_HERE` eq qq(a=b\n)", "1"}, /* and so in what it starts */
        {"\"@ARGV\"", "its own"},
        {"join ',', map { \"$_=$liege::opt{$_}\" } sort keys %liege::opt", "adopted=1,chdir=/"},
        {"$INC[0]", "/its/lib/lib/perl5"},
        {"ref $SIG{__DIE__}", ""},
        {"$main::second =~ /second.pl was second$/", "1"},
        {"$main::loaded", "1"},
        {"$request->{'psgi.multiprocess'} ? 1 : 0", "0"},
    };
    struct liege_error err = {""};
    void *base = NULL, *app = NULL;

    (void)state;
    assert_int_equal(plugin->early("early-psgi", app_path("evaluate.psgi"), &base, &err), 0);
    assert_non_null(base);
    assert_value(base, "$request->{'psgi.multiprocess'}", "1");
    plugin->before_fork();
    plugin->after_fork_child();
    assert_return_code(clearenv() + chdir(apps_dir) + setenv("ONLY_HERE", "a=b", 1), 0);
    assert_return_code(setenv("EMPTY", "", 1), 0);
    const struct liege_host *host = change_host();
    const struct perl_conf *adopted = change_conf();
    assert_int_equal(plugin->adopt(host, adopted, &err), 0);
    assert_int_equal(plugin->prepare(&err), 0);
    assert_int_equal(plugin->load(NULL, &app, &err), 0);
    for (size_t i = 0; i < COUNT_OF(values); i++)
        assert_value(app, values[i][0], values[i][1]);
    plugin_host()->multithread = true;
    assert_int_equal(plugin->adopt(host, adopted, &err), -ENOTSUP);
    plugin_host()->multithread = false;
}

#ifndef __SANITIZE_ADDRESS__
static long resident_pages(void)
{
    _cleanup_free_ char *text = NULL;
    size_t len = 0;

    assert_return_code(file_read_all("/proc/self/statm", 4096, &text, &len), 0);
    return strtol(strchr(text, ' '), NULL, 10);
}

static void many_requests(void *app, int n)
{
    static const char *const paths[] = {
        "/array",  "/pieces", "/stream",  "/delayed",    "/file", "/records", "/die", "/die-object",
        "/memory", "/env",    "/cleanup", "/change-env", "/keep", "/errors",  "/wide"};

    for (int i = 0; i < n; i++) {
        struct exchange x;

        exchange_init(&x, "GET", paths[(size_t)i % COUNT_OF(paths)]);
        call(&x, app);
        exchange_done(&x);
    }
}

static void test_memory_stays_flat(void **state)
{
    (void)state;
    void *app = load("kinds.psgi");

    many_requests(app, 2000);
    long before = resident_pages();
    many_requests(app, 20000);
    assert_true(resident_pages() - before < 64);
}
#endif

static int start(void **state)
{
    (void)state;
    static char first[] = "first argument", second[] = "second";
    static char *args[] = {first, second, NULL}, *exec[2], *post_fork[2];
    struct liege_error err = {""};

    exec[0] = strdup(app_path("first.pl"));
    post_fork[0] = strdup(app_path("forked.pl"));
    conf = (struct perl_conf){
        .psgi = strdup(app_path("hello.psgi")),
        .args = {args, 2},
        .exec = {exec, 1},
        .exec_post_fork = {post_fork, 1},
        .local_lib = strdup(app_path("local")),
        .no_plack = no_plack,
    };
    if (plugin->conf_size != sizeof(conf))
        return -1;
    plugin_host()->multithread = true;
    if (plugin->start(plugin_host(), &conf, &err) != -ENOTSUP)
        return -1;
    plugin_host()->multithread = false;
    int r = plugin->start(plugin_host(), &conf, &err);
    if (r == 0)
        r = plugin->prepare(&err);
    if (r < 0)
        print_error("%s\n", err.text);
    return r;
}

static int stop(void **state)
{
    (void)state;
    plugin->stop();
    return 0;
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_client_gone),
        cmocka_unit_test(test_env),
        cmocka_unit_test(test_env_is_like_new),
        cmocka_unit_test(test_input),
        cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_cleanup),
        cmocka_unit_test(test_several_apps),
        cmocka_unit_test(test_server_functions),
        cmocka_unit_test(test_load_errors),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_worker_start_error),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(test_memory_stays_flat),
#endif
        cmocka_unit_test(test_adopt), /* the last one: nothing is as it was then */
    };

    if (argc != 3)
        return 2;
    apps_dir = argv[1];
    no_plack = strcmp(argv[2], "no-plack") == 0;
    plugin = plugin_host_open();
    return cmocka_run_group_tests_name(argv[2], tests, start, stop);
}
