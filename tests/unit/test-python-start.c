/* SPDX-License-Identifier: MIT */

/* How the Python plugin starts the interpreter with each of its options, finds the application that
 * they name, and ends. An interpreter starts once in a process, so each case has a process of its
 * own: it starts the plugin with the configuration of its row, runs its function, and the parent
 * looks at the exit status. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../plugins/python/python-conf.h"
#include "plugin-host.h"

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define EXIT_SKIP   77
#define EVALUATE    "start_cases:evaluate"

struct start_case {
    const char *name;
    const char *settings[4][2]; /* option and value */
    bool in_apps;               /* start in the folder of the applications, else in an empty one
                                   with the applications on `pythonpath` */
    void (*prepare)(void);      /* before the interpreter starts */
    const char *start_error;    /* what start() must say; NULL: it succeeds */
    const char *load_error;     /* what load() must say; NULL: it succeeds */
    void (*run)(void *app);     /* with the application that the options name */
    const char *query, *answer; /* for the application, if not NULL */

    /* What another instance takes the interpreter over with, then: it loads its application, and
     * @run and @query are for that one. */
    bool is_adopted;
    void (*prepare_adoption)(void); /* when the base has loaded its application */
    const char *adopt_settings[4][2];
    const char *adopt_error; /* what adopt() must say; NULL: it succeeds */
};

static const struct liege_plugin *plugin;
static struct python_conf conf;

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fprintf(stderr, "\nlog:\n%s", plugin_host_log());
    _exit(1);
}

/* A variable of the environment, which the build sets. */
static const char *get_variable(const char *name)
{
    const char *value = getenv(name);

    if (!value)
        die("%s is not set", name);
    return value;
}

/* The base's interpreter, and what its early options load. */
static void act_early(const char *option, const char *value)
{
    struct liege_error err = {{0}};
    void *app = NULL;

    if (plugin->early(option, value, &app, &err) < 0)
        die("%s", err.text);
}

/* Asks the application for the value of @expression and expects @answer. */
static void check(void *app, const char *expression, const char *answer)
{
    char target[512] = "";
    struct exchange x;

    (void)snprintf(target, sizeof(target), "/?%s", expression);
    exchange_init(&x, "GET", target);
    exchange_run(&x, plugin, app);
    if (!x.answer || strcmp(x.answer, answer) != 0)
        die("%s: %s", expression, x.answer ? x.answer : "failed");
    exchange_done(&x);
}

static void check_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        die("\"%s\" is not in \"%s\"", part, text);
}

/* Stores a setting as the server would: by the option's row. */
static void set_option(const char *name, const char *value)
{
    const struct liege_option *o = python_plugin_info.options;
    struct liege_list *list = NULL;
    char *field = NULL;

    while (strcmp(o->name, name) != 0)
        if (++o == python_plugin_info.options + python_plugin_info.n_options)
            die("%s is no option", name);
    field = (char *)&conf + o->offset;
    switch (o->type) {
    case LIEGE_OPTION_STRING:
        *(char **)field = strdup(value);
        break;
    case LIEGE_OPTION_UINT:
        *(uint64_t *)field = strtoul(value, NULL, 10);
        break;
    case LIEGE_OPTION_FLAG:
        *(bool *)field = true;
        break;
    case LIEGE_OPTION_LIST:
        list = (struct liege_list *)field;
        list->items = realloc(list->items, (list->n_items + 2) * sizeof(char *));
        if (!list->items)
            die("no memory");
        list->items[list->n_items++] = strdup(value);
        list->items[list->n_items] = NULL;
        break;
    default:
        die("%s has no value", name);
    }
}

/* Makes the folder venv with a virtual environment that has the module only_here. */
static void make_venv(void)
{
    char command[2 * PATH_MAX] = "";

    (void)snprintf(command, sizeof(command),
                   "%s -m venv --without-pip venv && cd venv/lib/python3*/site-packages && "
                   "echo 'value = 42' >only_here.py",
                   get_variable("LIEGE_PYTHON"));
    if (system(command) != 0) /* NOLINT(cert-env33-c): the command is ours */
        _exit(EXIT_SKIP);
}

static void make_empty_folder(void)
{
    (void)mkdir("empty", 0700);
}

/* A virtual environment of a Python that nobody has. */
static void make_other_venv(void)
{
    FILE *f = NULL;

    (void)mkdir("other", 0700);
    f = fopen("other/pyvenv.cfg", "we");
    if (f)
        (void)fclose(f);
}

static void make_globbed_folders(void)
{
    (void)mkdir("path", 0700);
    (void)mkdir("path/a", 0700);
    (void)mkdir("path/b", 0700);
}

static void check_venv(void *app)
{
    check(app, "__import__('only_here').value", "42");
    check(app, "sys.prefix.endswith('/venv') and sys.base_prefix != sys.prefix", "True");
    check(app, "sys.executable.endswith('/venv/bin/python')", "True");
}

static void check_path(void *app)
{
    check(app, "[os.path.basename(p) for p in sys.path[:3]]", "['a', 'b', 'python']");
    check(app, "sys.path[3] == os.getcwd()", "True");
}

static void check_optimize(void *app)
{
    check(app, "sys.flags.optimize, sys.flags.no_site", "(2, 1)");
}

/* Signals are the host's: Python's own handlers are not installed. */
static void check_signals(void *app)
{
    static const int signals[] = {SIGINT, SIGPIPE, SIGTERM};

    (void)app;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
        struct sigaction action = {0};

        (void)sigaction(signals[i], NULL, &action);
        if (action.sa_handler != SIG_DFL)
            die("signal %d is not as the host left it", signals[i]);
    }
}

/* What is printed can be read at the end of the line, though no terminal reads it. */
static void check_stdout(void *app)
{
    int fds[2] = {-1, -1};
    char text[16] = "";

    if (pipe(fds) < 0 || dup2(fds[1], STDOUT_FILENO) < 0)
        die("pipe: %s", strerror(errno));
    check(app, "print('line')", "None");
    if (read(fds[0], text, sizeof(text) - 1) != 5 || strcmp(text, "line\n") != 0)
        die("printed: %s", text);
}

/* A thread of the application runs while the worker waits. */
static void check_threads(void *app)
{
    char expression[64] = "", byte = 0;
    int fds[2] = {-1, -1};

    if (pipe(fds) < 0)
        die("pipe: %s", strerror(errno));
    (void)snprintf(expression, sizeof(expression), "write_from_thread(%d)", fds[1]);
    check(app, expression, "started");
    plugin->wait_begin();
    if (read(fds[0], &byte, 1) != 1 || byte != 't')
        die("the thread did not run");
    plugin->wait_end();
    check(app, "1+1", "2");
}

/* A thread that Python has not seen yet. */
static void *run_thread(void *app)
{
    plugin->wait_end();
    check(app, "threading.current_thread() is not threading.main_thread()", "True");
    plugin->wait_begin();
    plugin->wait_end();
    check(app, "1+1", "2");
    plugin->wait_begin();
    return NULL;
}

/* A thread of the server may call the application, too. */
static void check_server_thread(void *app)
{
    pthread_t thread;

    plugin->wait_begin();
    if (pthread_create(&thread, NULL, run_thread, app) != 0 || pthread_join(thread, NULL) != 0)
        die("no thread");
    plugin->wait_end();
    check(app, "threading.current_thread() is threading.main_thread()", "True");
}

static void check_stop(void *app)
{
    char expression[64] = "", bytes[3] = "";
    int fds[2] = {-1, -1};

    if (pipe(fds) < 0)
        die("pipe: %s", strerror(errno));
    (void)snprintf(expression, sizeof(expression), "write_at_exit(%d)", fds[1]);
    check(app, expression, "registered");
    check(app, "start_waiting_thread()", "started");
    plugin->stop();
    if (read(fds[0], bytes, 2) != 2 || strcmp(bytes, "la") != 0)
        die("exit handlers: %s", bytes);
}

static void check_post_fork_hook(void *app)
{
    struct liege_error err = {{0}};

    if (plugin->worker_start(&err) != 0)
        die("%s", err.text);
    check(app, "set_post_fork_hook('yes')", "stored");
    if (plugin->worker_start(&err) != 0)
        die("%s", err.text);
    check(app, "forked", "yes");
    check(app, "set_post_fork_hook('')", "stored");
    if (plugin->worker_start(&err) == 0)
        die("the hook's exception was lost");
    check_contains(plugin_host_log(), "ZeroDivisionError");
}

/* Threads have names and places, descriptors those who have them. */
static void check_descriptions(void *app)
{
    char text[256] = "";
    pid_t tid = 0;
    int fds[2];

    check(app, "start_waiting_thread()", "started");
    DIR *dir = opendir("/proc/self/task");
    for (const struct dirent *e = NULL; dir && (e = readdir(dir));)
        if (e->d_name[0] != '.' && atoi(e->d_name) != getpid())
            tid = atoi(e->d_name);
    (void)closedir(dir);
    if (!plugin->describe_thread(tid, text, sizeof(text)))
        die("thread %d is not known", (int)tid);
    check_contains(text, "\"waiter\" at ");
    check_contains(text, "start_cases.py:");
    check_contains(text, " in wait_for_ever");
    if (pipe(fds) < 0 || plugin->describe_fd(fds[0], text, sizeof(text)))
        die("a pipe of ours is said to be Python's");
    (void)snprintf(text, sizeof(text), "keep_descriptor(%d)", fds[0]);
    check(app, text, "kept");
    if (!plugin->describe_fd(fds[0], text, sizeof(text)) ||
        strcmp(text, "start_cases.kept_file") != 0)
        die("it is said to be \"%s\"", text);
}

/* The first fork freezes what was loaded. */
static void check_before_fork(void *app)
{
    check(app, "__import__('gc').get_freeze_count()", "0");
    plugin->before_fork();
    plugin->after_fork_parent();
    check(app, "__import__('gc').get_freeze_count() > 1000", "True");
}

/* A vassal's environment and host, instead of the base's. */
static void change_surroundings(void)
{
    static const struct liege_setting settings[] = {{"adopted", "1"}, {"chdir", "/"}};
    struct liege_host *host = plugin_host();

    (void)setenv("BASE_ONLY", "1", 1); /* the C library's, of which Python hears nothing */
    if (clearenv() != 0 || setenv("VASSAL_ONLY", "caf\xc3\xa9", 1) < 0 ||
        setenv("TZ", "XYZ-5", 1) < 0)
        die("no environment");
    host->settings = settings;
    host->n_settings = COUNT_OF(settings);
    host->n_workers = 7;
    host->multithread = true;
    host->multiprocess = false;
}

static void check_surroundings(void *app)
{
    static const char *const answers[][2] = {
        {"os.environ", "environ({'VASSAL_ONLY': 'caf\xc3\xa9', 'TZ': 'XYZ-5'})"},
        {"os.environ is environ and sys.argv is argv and liege.opt is opt", "True"},
        {"os.environb[b'VASSAL_ONLY'].decode()", "caf\xc3\xa9"},
        {"__import__('time').tzname[0], __import__('time').localtime(0).tm_hour", "('XYZ', 5)"},
        {"sys.argv", "['liege', 'its', 'own']"},
        {"opt", "{'adopted': b'1', 'chdir': b'/'}"},
        {"liege.numproc", "7"},
        {"environ_of_request['wsgi.multithread'], environ_of_request['wsgi.multiprocess']",
         "(True, False)"},
    };

    for (size_t i = 0; i < COUNT_OF(answers); i++)
        check(app, answers[i][0], answers[i][1]);
}

/* This instance's folders are before the base's, which are still there. */
static void check_adopted_path(void *app)
{
    check(app, "[os.path.basename(p) for p in sys.path[:2]]", "['a', 'b']");
    check(app, "sys.path[2] == os.getcwd()", "True");
    check(app, "sum(p.endswith('/python') for p in sys.path) > 0", "True");
}

static void load_factory_early(void)
{
    act_early("early-wsgi", "start_cases:make_application()");
}

/* It is the base's second one, whose file is another one here. */
static void make_other_module(void)
{
    FILE *f = fopen("path/a/only_app.py", "we");

    if (!f || fputs("application = None\n", f) < 0)
        die("no module");
    (void)fclose(f);
    act_early("early-pyimport", "only_app");
}

/* What the base has written to a file and not flushed is written once. */
static void check_settle(void *app)
{
    char text[64] = "";
    int fds[2] = {-1, -1};

    if (pipe2(fds, O_NONBLOCK) < 0)
        die("pipe: %s", strerror(errno));
    (void)snprintf(text, sizeof(text), "write_unflushed(%d)", fds[1]);
    check(app, text, "written");
    if (read(fds[0], text, sizeof(text)) >= 0)
        die("it was not in a buffer");
    plugin->settle();
    if (read(fds[0], text, sizeof(text)) != 4)
        die("it is in a buffer still");
    check(app, "__import__('gc').get_freeze_count() > 1000", "True");
}

/* clang-format off */
static const struct start_case cases[] = {
    { .name = "module", .settings = {{ "module", EVALUATE }},
      .query = "1+1", .answer = "2" },
    { .name = "module and callable",
      .settings = {{ "module", "start_cases" }, { "callable", "evaluate" }},
      .query = "__name__", .answer = "start_cases" },
    { .name = "module's default callable", .in_apps = true, .settings = {{ "module", "only_app" }},
      .query = "", .answer = "Hello, world\n" },
    { .name = "wsgi-file, relative to the working directory", .in_apps = true,
      .settings = {{ "wsgi-file", "start_cases.py" }, { "callable", "evaluate" }},
      .query = "__file__ == os.getcwd() + '/start_cases.py'", .answer = "True" },
    { .name = "wsgi-file below ./", .in_apps = true,
      .settings = {{ "wsgi-file", "./start_cases.py" }, { "callable", "evaluate" }},
      .query = "__file__ == os.getcwd() + '/start_cases.py'", .answer = "True" },
    { .name = "the working directory comes first", .in_apps = true,
      .settings = {{ "module", EVALUATE }},
      .query = "sys.path[0] == os.getcwd()", .answer = "True" },
    { .name = "two applications", .settings = {{ "module", "a" }, { "wsgi-file", "b.py" }},
      .load_error = "module = a and wsgi-file = b.py both name the application" },
    { .name = "no application",
      .load_error = "no application: neither module nor wsgi-file is set" },
    { .name = "no such callable",
      .settings = {{ "module", "start_cases" }, { "callable", "missing" }},
      .load_error = "start_cases.py: module start_cases has no attribute 'missing'" },
    { .name = "no such file", .settings = {{ "wsgi-file", "missing" }},
      .load_error = "FileNotFoundError: [Errno 2] No such file or directory" },

    { .name = "pythonpath", .settings = {{ "pythonpath", "path/*" }, { "module", EVALUATE }},
      .prepare = make_globbed_folders, .run = check_path },
    { .name = "virtualenv", .settings = {{ "virtualenv", "venv" }, { "module", EVALUATE }},
      .prepare = make_venv, .run = check_venv },
    { .name = "no such virtualenv", .settings = {{ "virtualenv", "missing" }},
      .start_error = "virtualenv missing: No such file or directory" },
    { .name = "no virtualenv", .settings = {{ "virtualenv", "empty" }},
      .prepare = make_empty_folder, .start_error = "empty/pyvenv.cfg: No such file" },
    { .name = "virtualenv of another Python", .settings = {{ "virtualenv", "other" }},
      .prepare = make_other_venv, .start_error = "virtualenv other: made for another Python" },
    { .name = "pyargv", .settings = {{ "module", EVALUATE }, { "pyargv", "-a  --bc\td" }},
      .query = "sys.argv", .answer = "['liege', '-a', '--bc', 'd']" },
    { .name = "no pyargv", .settings = {{ "module", EVALUATE }},
      .query = "sys.argv", .answer = "['liege']" },
    { .name = "optimize and no-site",
      .settings = {{ "module", EVALUATE }, { "optimize", "2" }, { "no-site", "" }},
      .run = check_optimize },
    { .name = "extension modules", .settings = {{ "module", EVALUATE }},
      .query = "import_extensions()", .answer = "3" },
    { .name = "text is UTF-8", .settings = {{ "module", EVALUATE }},
      .query = "sys.stdout.encoding, sys.getfilesystemencoding()", .answer = "('utf-8', 'utf-8')" },
    { .name = "signals", .settings = {{ "module", EVALUATE }}, .run = check_signals },
    { .name = "standard output", .settings = {{ "module", EVALUATE }}, .run = check_stdout },
    { .name = "threads", .settings = {{ "module", EVALUATE }}, .run = check_threads },
    { .name = "a thread of the server", .settings = {{ "module", EVALUATE }},
      .run = check_server_thread },
    { .name = "exit", .settings = {{ "module", EVALUATE }}, .run = check_stop },
    { .name = "post_fork_hook", .settings = {{ "module", EVALUATE }}, .run = check_post_fork_hook },
    { .name = "descriptions", .settings = {{ "module", EVALUATE }}, .run = check_descriptions },
    { .name = "before forks", .settings = {{ "module", EVALUATE }}, .run = check_settle },
    { .name = "first fork", .settings = {{ "module", EVALUATE }}, .run = check_before_fork },

    { .name = "adopted: surroundings", .is_adopted = true,
      .settings = {{ "module", EVALUATE }, { "pyargv", "the base's" }},
      .adopt_settings = {{ "module", EVALUATE }, { "pyargv", "its own" }},
      .prepare_adoption = change_surroundings, .run = check_surroundings },
    { .name = "adopted: pythonpath", .is_adopted = true, .settings = {{ "module", EVALUATE }},
      .adopt_settings = {{ "module", EVALUATE }, { "pythonpath", "path/*" }},
      .prepare_adoption = make_globbed_folders, .run = check_adopted_path },
    { .name = "adopted: what was loaded early", .is_adopted = true,
      .settings = {{ "module", EVALUATE }},
      .adopt_settings = {{ "module", "start_cases:make_application()" }},
      .prepare_adoption = load_factory_early, .query = "len(made)", .answer = "1" },
    { .name = "adopted: what was loaded otherwise", .is_adopted = true,
      .settings = {{ "module", "start_cases:make_application()" }},
      .adopt_settings = {{ "module", "start_cases:make_application()" }},
      .query = "len(made)", .answer = "1" },
    { .name = "adopted: another module of that name", .is_adopted = true,
      .settings = {{ "module", EVALUATE }},
      .adopt_settings = {{ "module", "only_app" }, { "pythonpath", "path/a" }},
      .prepare = make_globbed_folders, .prepare_adoption = make_other_module,
      .load_error = "but the base vassal has loaded" },
    { .name = "adopted: optimize", .is_adopted = true,
      .settings = {{ "module", EVALUATE }, { "optimize", "1" }},
      .adopt_settings = {{ "module", EVALUATE }, { "optimize", "2" }},
      .adopt_error = "optimize = 2, but the Python of the base vassal has 1: set the same, or" },
    { .name = "adopted: no-site", .is_adopted = true, .settings = {{ "module", EVALUATE }},
      .adopt_settings = {{ "module", EVALUATE }, { "no-site", "" }},
      .adopt_error = "no-site = yes, but" },
    { .name = "adopted: virtualenv", .is_adopted = true, .settings = {{ "module", EVALUATE }},
      .prepare = make_venv,
      .adopt_settings = {{ "module", EVALUATE }, { "virtualenv", "venv" }},
      .adopt_error = "virtualenv = venv, but the Python of the base vassal has none: " },
    { .name = "adopted: the same virtualenv", .is_adopted = true,
      .settings = {{ "module", EVALUATE }, { "virtualenv", "venv" }}, .prepare = make_venv,
      .adopt_settings = {{ "module", EVALUATE }, { "virtualenv", "./venv" }}, .run = check_venv },
};
/* clang-format on */

/* A new folder to work in; its path is for the parent to remove. */
static void enter_new_folder(const char *path)
{
    if (mkdir(path, 0700) < 0 || chdir(path) < 0)
        die("%s: %s", path, strerror(errno));
}

/* As a process that was forked from the base does. False if that is refused, as expected. */
static bool adopt(const struct start_case *c)
{
    struct liege_error err = {{0}};

    if (c->prepare_adoption)
        c->prepare_adoption();
    conf = (struct python_conf){.optimize = 0};
    for (size_t i = 0; i < COUNT_OF(c->adopt_settings) && c->adopt_settings[i][0]; i++)
        set_option(c->adopt_settings[i][0], c->adopt_settings[i][1]);
    plugin->before_fork();
    plugin->after_fork_child();
    int r = plugin->adopt(plugin_host(), &conf, &err);
    if (r < 0 && !c->adopt_error)
        die("adopt: %s", err.text);
    if (c->adopt_error)
        check_contains(err.text, c->adopt_error);
    return r == 0;
}

static void run_case(const struct start_case *c, const char *folder)
{
    struct liege_error err = {{0}};
    void *app = NULL;

    (void)signal(SIGINT, SIG_DFL); /* whatever this test was started with */
    (void)signal(SIGPIPE, SIG_DFL);
    if (chdir(get_variable("LIEGE_TEST_APPS")) < 0)
        die("LIEGE_TEST_APPS: %s", strerror(errno));
    if (!c->in_apps)
        enter_new_folder(folder);
    for (size_t i = 0; i < COUNT_OF(c->settings) && c->settings[i][0]; i++)
        set_option(c->settings[i][0], c->settings[i][1]);
    if (!c->in_apps)
        set_option("pythonpath", get_variable("LIEGE_TEST_APPS"));
    if (c->prepare)
        c->prepare();
    plugin = plugin_host_open();
    if (plugin->start(plugin_host(), &conf, &err) < 0 && !c->start_error)
        die("start: %s", err.text);
    if (c->start_error) {
        check_contains(err.text, c->start_error);
        return;
    }
    if (c->is_adopted && plugin->load(NULL, &app, &err) < 0)
        die("load: %s", err.text);
    if (c->is_adopted && !adopt(c))
        return;
    if (plugin->load(NULL, &app, &err) < 0 && !c->load_error)
        die("load: %s", err.text);
    if (c->load_error)
        check_contains(err.text, c->load_error);
    if (c->run)
        c->run(app);
    if (c->query)
        check(app, c->query, c->answer);
}

static void test_start(void **state)
{
    const struct start_case *c = *state;
    char folder[PATH_MAX] = "", command[PATH_MAX + 16] = "";
    const char *tmp = getenv("TMPDIR");
    int status = -1;
    pid_t pid;

    (void)snprintf(folder, sizeof(folder), "%s/liege-python-start-%d", tmp ? tmp : "/tmp",
                   (int)getpid());
    pid = fork();
    if (pid == 0) {
        run_case(c, folder);
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    (void)snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c): the command is ours */
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP)
        skip();
    assert_int_equal(status, 0);
}

int main(void)
{
    struct CMUnitTest tests[COUNT_OF(cases)];

    for (size_t i = 0; i < COUNT_OF(cases); i++)
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name,
            .test_func = test_start,
            .initial_state = (void *)&cases[i],
        };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
