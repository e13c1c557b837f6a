/* SPDX-License-Identifier: MIT */
/* The command line and the environment that vassals are started with. */
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "emperor/launch.h"
#include "ipc/surroundings.h"
#include "unit.h"

/* Each string is its own array: the lists hold char pointers. */
static char processes[] = "processes=8", harakiri[] = "harakiri=30";
static char after[] = "after.ini", before[] = "before.ini";
static char *items_set[] = {processes, harakiri, NULL};
static char *items_after[] = {after, NULL};
static char *items_before[] = {before, NULL};

static const struct emperor_conf conf = {
    .vassal_set = {items_set, 2},
    .include = {items_after, 1},
    .include_before = {items_before, 1},
    .inherit = {items_after, 1},
    .inherit_before = {items_before, 1},
};
static const struct emperor_conf plain_conf;

static void check_strings(const struct liege_list *found, const char *const *expected)
{
    for (size_t i = 0; expected[i]; i++) {
        assert_true(i < found->n_items);
        assert_string_equal(found->items[i], expected[i]);
        assert_true(i + 1 < found->n_items || !expected[i + 1]);
    }
}

static void test_order_of_arguments(void **state)
{
    _cleanup_(strv_done) struct liege_list argv = {0};
    struct launch l = {
        .conf = &conf, .binary = "/bin/x", .name = "app.ini", .directory = "/v", .cwd = "/v"};
    const char *const expected[] = {
        "/bin/x",      "--inherit", "before.ini",  "--include", "before.ini", "--set",
        "processes=8", "--set",     "harakiri=30", "--ini",     "app.ini",    "--inherit",
        "after.ini",   "--include", "after.ini",   NULL,
    };

    (void)state;
    assert_int_equal(launch_argv(&l, &argv), 0);
    assert_int_equal(argv.n_items, COUNT_OF(expected) - 1);
    check_strings(&argv, expected);
}

static void test_format_by_extension(void **state)
{
    static const struct {
        const char *name, *option;
    } cases[] = {
        {"a.ini", "--ini"},    {"a.xml", "--xml"},      {"a.yml", "--yaml"},
        {"a.yaml", "--yaml"},  {"a.json", "--json"},    {"a.js", "--json"},
        {"a.foo", "--config"}, {"x", "--config"},       {"a.ini:shop", "--ini"},
        {"a.yml:x", "--yaml"}, {"a.foo:x", "--config"}, {"/a.ini:x/y", "--config"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        _cleanup_(strv_done) struct liege_list argv = {0};
        struct launch l = {.conf = &plain_conf,
                           .binary = "/bin/x",
                           .name = cases[i].name,
                           .directory = "/v",
                           .cwd = "/v"};

        assert_int_equal(launch_argv(&l, &argv), 0);
        assert_int_equal(argv.n_items, 3);
        assert_string_equal(argv.items[1], cases[i].option);
        assert_string_equal(argv.items[2], cases[i].name);
    }
}

/* Names are relative to the directory that is watched. */
static void test_a_vassal_that_starts_elsewhere(void **state)
{
    static const struct {
        const char *name, *cwd, *argument;
        bool sends_config;
    } cases[] = {
        {"a.ini", "/v", "a.ini", false},
        {"a.ini", "/home", "/v/a.ini", false},
        {"a.ini:shop", "/home", "/v/a.ini:shop", false},
        {"/x/a.ini", "/home", "/x/a.ini", false},
        {"a.ini", "/home", "emperor://a.ini", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        _cleanup_(strv_done) struct liege_list argv = {0};
        struct launch l = {.conf = &plain_conf,
                           .binary = "/bin/x",
                           .name = cases[i].name,
                           .directory = "/v",
                           .cwd = cases[i].cwd,
                           .sends_config = cases[i].sends_config};

        assert_int_equal(launch_argv(&l, &argv), 0);
        assert_string_equal(argv.items[1], "--ini");
        assert_string_equal(argv.items[2], cases[i].argument);
    }
}

/* What a shell makes of it is the path, whatever is in it. */
static void test_a_program(void **state)
{
    static const struct {
        const char *path, *argument;
    } cases[] = {
        {"/etc/v/app.ini", "exec:///etc/v/app.ini"},
        {"/v/a b.ini", "exec://'/v/a b.ini'"},
        {"/v/$(id)'.ini", "exec://'/v/$(id)'\\''.ini'"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        _cleanup_(strv_done) struct liege_list argv = {0};
        struct launch l = {
            .conf = &plain_conf, .binary = "/bin/x", .name = "app.ini", .program = cases[i].path};

        assert_int_equal(launch_argv(&l, &argv), 0);
        assert_string_equal(argv.items[1], "--ini");
        assert_string_equal(argv.items[2], cases[i].argument);
    }
}

static void test_check(void **state)
{
    _cleanup_(strv_done) struct liege_list argv = {0}, env = {0};
    static const char *const environ_of_emperor[] = {"PATH=/bin", NULL};
    struct launch l = {.conf = &plain_conf,
                       .binary = "/bin/x",
                       .name = "app.ini",
                       .environ = environ_of_emperor,
                       .directory = "/srv/vassals",
                       .cwd = "/srv/vassals",
                       .check = true};
    const char *const arguments[] = {"/bin/x", "--check", "--ini", "app.ini", NULL};
    const char *const variables[] = {"PATH=/bin", "LIEGE_VASSALS_DIR=/srv/vassals",
                                     "UWSGI_VASSALS_DIR=/srv/vassals", NULL};

    (void)state;
    assert_int_equal(launch_argv(&l, &argv), 0);
    check_strings(&argv, arguments);
    assert_int_equal(launch_env(&l, &env), 0);
    assert_int_equal(env.n_items, COUNT_OF(variables) - 1);
    check_strings(&env, variables);
}

static void test_environment(void **state)
{
    _cleanup_(strv_done) struct liege_list env = {0};
    static const char *const environ_of_emperor[] = {
        "PATH=/bin",
        "UWSGI_VASSAL_SOCKET=/tmp/%n.sock",
        "LIEGE_VASSAL_PROCESSES=2",
        "UWSGI_RELOADS=3",
        "LIEGE_RELOADS=3",
        "NOTIFY_SOCKET=/run/systemd/notify",
        "UWSGI_EMPEROR_FD=9",
        "LIEGE_STATUS_FD=10",
        "UWSGI_VASSALS_DIR=/elsewhere",
        "UWSGI_EMPEROR=/etc/vassals",
        "LIEGE_EMPEROR_EXTRA_EXT=.foo",
        "LIEGE_EMPEROR_STATS_SERVER=:9000",
        "LIEGE_HARAKIRI=5",
        "NOTIFY=stays",
        NULL,
    };
    struct launch l = {
        .conf = &plain_conf, .environ = environ_of_emperor, .directory = "/srv/vassals"};
    const char *const expected[] = {
        "PATH=/bin",
        "UWSGI_SOCKET=/tmp/%n.sock",
        "LIEGE_PROCESSES=2",
        "LIEGE_HARAKIRI=5",
        "NOTIFY=stays",
        "LIEGE_EMPEROR_FD=3",
        "LIEGE_VASSALS_DIR=/srv/vassals",
        "UWSGI_EMPEROR_FD=3",
        "UWSGI_VASSALS_DIR=/srv/vassals",
        "LIEGE_STATUS_FD=4",
        NULL,
    };

    (void)state;
    assert_int_equal(launch_env(&l, &env), 0);
    assert_int_equal(env.n_items, COUNT_OF(expected) - 1);
    check_strings(&env, expected);
}

/* A real process: it is started, and holds its ends of the sockets alone. */
static void test_process(void **state)
{
    static const char *const environ_of_emperor[] = {"PATH=/usr/bin:/bin", NULL};
    const struct rlimit nofile = {.rlim_cur = 64, .rlim_max = 64};
    struct launch l = {.conf = &plain_conf,
                       .binary = "/bin/true",
                       .nofile = &nofile,
                       .environ = environ_of_emperor,
                       .name = "a.ini",
                       .directory = "/",
                       .cwd = "/"};
    struct launched started = {.proc = PROC_NONE};
    char byte = 0;

    (void)state;
    assert_int_equal(launch(&l, &started), 0);
    assert_true(started.proc.pid > 0);
    siginfo_t end = {0};
    assert_int_equal(waitid(P_PIDFD, (id_t)started.proc.pidfd, &end, WEXITED | WNOWAIT), 0);
    assert_int_equal(read(started.pipe_fd, &byte, 1), 0);
    assert_int_equal(read(started.status_fd, &byte, 1), 0);
    assert_int_equal(proc_reap(&started.proc, &end), 1);
    assert_int_equal(end.si_status, 0);
    (void)close(started.pipe_fd);
    (void)close(started.status_fd);
}

/* Without a log the vassal has both of the Emperor's outputs. */
static void test_request_without_log(void **state)
{
    static const struct emperor_conf direct = {.log_direct = true};
    static const char *const none[] = {NULL};
    const struct rlimit nofile = {0};
    struct launch l = {.conf = &direct,
                       .binary = "/bin/x",
                       .nofile = &nofile,
                       .environ = none,
                       .name = "a.ini",
                       .directory = "/v",
                       .cwd = "/v",
                       .socket_fd = -1,
                       .older_fd = -1};
    struct adoption_request request = ADOPTION_REQUEST_NONE;
    struct launched ours = LAUNCHED_NONE;
    struct stat theirs, emperors;

    (void)state;
    assert_int_equal(launch_request(&l, &request, &ours), 0);
    assert_true(ours.log_fd < 0);
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++) {
        const int part = fd == STDOUT_FILENO ? ADOPTION_LOG : ADOPTION_ERRORS;
        assert_int_equal(fstat(request.fds[part], &theirs), 0);
        assert_int_equal(fstat(fd, &emperors), 0);
        assert_int_equal(theirs.st_dev, emperors.st_dev);
        assert_int_equal(theirs.st_ino, emperors.st_ino);
    }
    adoption_request_done(&request);
    launched_done(&ours);
}

/* What goes to a base: the same command line and surroundings, and an end of everything. */
static void test_request(void **state)
{
    static const char *const environ_of_emperor[] = {"PATH=/usr/bin:/bin", "LIEGE_RELOADS=3", NULL};
    const struct rlimit nofile = {.rlim_cur = 64, .rlim_max = 128};
    struct launch l = {.conf = &conf,
                       .binary = "/bin/x",
                       .nofile = &nofile,
                       .environ = environ_of_emperor,
                       .name = "a.ini",
                       .directory = "/v",
                       .cwd = "/home",
                       .sends_config = true,
                       .socket_fd = STDIN_FILENO,
                       .older_fd = -1};
    struct adoption_request request = ADOPTION_REQUEST_NONE;
    struct launched ours = LAUNCHED_NONE;
    struct surroundings s = {0};
    size_t n_before = unit_count_fds();

    (void)state;
    assert_int_equal(launch_request(&l, &request, &ours), 0);
    assert_string_equal(request.argv.items[0], "/bin/x");
    assert_int_equal(ours.proc.pid, 0);
    for (int i = 0; i < ADOPTION_PART_COUNT; i++)
        assert_int_equal(request.fds[i] >= 0, i != ADOPTION_OLDER && i != ADOPTION_ERRORS);
    assert_int_equal(surroundings_read(request.fds[ADOPTION_SURROUNDINGS], &s), 0);
    assert_string_equal(s.cwd, "/home");
    assert_int_equal(s.nofile.rlim_max, 128);
    assert_true(strv_contains(&s.environ, "LIEGE_VASSALS_DIR=/v"));
    assert_false(strv_contains(&s.environ, "LIEGE_RELOADS=3"));
    adoption_request_done(&request);
    launched_done(&ours);
    surroundings_done(&s);
    assert_int_equal(unit_count_fds(), n_before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_arguments),
        cmocka_unit_test(test_format_by_extension),
        cmocka_unit_test(test_a_vassal_that_starts_elsewhere),
        cmocka_unit_test(test_a_program),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_process),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_request_without_log),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
