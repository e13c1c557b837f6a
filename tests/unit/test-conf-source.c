/* SPDX-License-Identifier: MIT */
/* Sources that are no plain files: what they give, how often they are read, and who may name them.
 * Addresses of servers are tested with the program that fetches, by the behaviour tests. */
#include "conf/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/proc.h"
#include "conf-fixture.h"

static void set_mode(const struct fixture *f, const char *name, mode_t mode)
{
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/%s", f->folder, name);
    assert_int_equal(chmod(path, mode), 0);
}

static int text_fd(const char *text)
{
    int fd = memfd_create("text", MFD_CLOEXEC);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void test_command(void **state)
{
    struct fixture *f = *state;

    f->environ[0] = "NAME=n";
    fixture_write(f, "part.ini", "[uwsgi]\nstats = part\n");
    assert_int_equal(fixture_load(f,
                                  "exec://echo '[uwsgi]'; echo include = part.ini; "
                                  "echo module = %n:$NAME",
                                  NULL),
                     0);
    assert_setting(f, "module", "exec:n");
    assert_setting(f, "stats", "part");
    assert_string_equal(f->conf.name, "exec");
    assert_int_equal(f->conf.files.n_items, 1); /* the part: there is nothing else to watch */
    assert_int_equal(fixture_load_text(f, "[uwsgi]\nmodule = @(exec://cat part.ini | wc -l)\n"
                                          "inherit = exec://cat part.ini\n"),
                     0);
    assert_setting(f, "module", "2");
    assert_setting(f, "stats", "part");
}

/* Two commands, one inside the other's text, are no cycle; one that names itself is. */
static void test_nested_commands(void **state)
{
    struct fixture *f = *state;

    fixture_write(f, "outer.ini", "[uwsgi]\ninclude = inner.ini\n");
    fixture_write(f, "inner.ini", "[uwsgi]\ninclude = exec://echo '[uwsgi]'; echo stats = deep\n");
    assert_int_equal(fixture_load(f, "exec://cat outer.ini", NULL), 0);
    assert_setting(f, "stats", "deep");
    fixture_write(f, "outer.ini", "[uwsgi]\ninclude = exec://cat outer.ini\n");
    assert_int_equal(fixture_load(f, "exec://cat outer.ini", NULL), -ELOOP);
}

/* Each is run once a load, and not at all if another process has done it. */
static void test_once(void **state)
{
    struct fixture *f = *state;
    struct source_cache c = {0};

    fixture_write(f, "app.ini",
                  "[uwsgi]\nmodule = @(exec://echo x >>n; wc -l <n)\n"
                  "stats = @(exec://echo x >>n; wc -l <n)\n");
    assert_int_equal(fixture_load(f, "app.ini", NULL), 0);
    assert_setting(f, "module", "1");
    assert_setting(f, "stats", "1");
    f->sources = &c;
    assert_int_equal(fixture_load(f, "app.ini", NULL), 0);
    assert_int_equal(fixture_load(f, "app.ini", NULL), 0);
    assert_setting(f, "stats", "2");
    source_cache_expire(&c);
    c.offline = true;
    assert_int_equal(fixture_load(f, "app.ini", NULL), -EAGAIN);
    assert_true(c.missing);
    source_cache_done(&c);
    f->sources = NULL;
}

static void test_descriptor(void **state)
{
    struct fixture *f = *state;
    struct source_cache c = {0};
    char uri[64];
    int fd = text_fd("[uwsgi]\nmodule = %n\n[other]\nmodule = other\n");

    f->sources = &c;
    (void)snprintf(uri, sizeof(uri), "fd://%d", fd);
    assert_int_equal(fixture_load(f, uri, NULL), 0);
    assert_setting(f, "module", "fd");
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    source_cache_expire(&c); /* it cannot be read again, and is not forgotten */
    (void)snprintf(uri, sizeof(uri), "fd://%d:other", fd);
    assert_int_equal(fixture_load(f, uri, NULL), 0);
    assert_setting(f, "module", "other");
    source_cache_done(&c);
    f->sources = NULL;
    assert_int_equal(fixture_load(f, uri, NULL), -EBADF);
}

static void test_standard_input(void **state)
{
    struct fixture *f = *state;
    int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3), fd = text_fd("[uwsgi]\nmodule = %s\n");

    assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    assert_int_equal(fixture_load(f, "-", NULL), 0);
    assert_setting(f, "module", "stdin");
    (void)close(fd);
    if (saved >= 0)
        (void)dup2(saved, STDIN_FILENO);
    (void)close(saved);
}

static void test_fifo(void **state)
{
    struct fixture *f = *state;
    struct source_cache c = {.offline = true};
    struct proc writer = PROC_NONE;
    siginfo_t end = {0};
    char path[256];

    (void)snprintf(path, sizeof(path), "%s/fifo.ini", f->folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    f->sources = &c;
    assert_int_equal(fixture_load(f, path, NULL), -EAGAIN);
    int r = proc_fork(&writer);
    if (r == 0) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);
        _exit(write(fd, "[uwsgi]\nmodule = %n\n", 20) == 20 ? 0 : 1);
    }
    assert_int_equal(r, 1);
    c.offline = false;
    assert_int_equal(fixture_load(f, path, NULL), 0);
    assert_setting(f, "module", "fifo");
    assert_int_equal(waitid(P_PIDFD, (id_t)writer.pidfd, &end, WEXITED), 0);
    assert_int_equal(end.si_status, 0);
    proc_done(&writer);
    source_cache_done(&c);
    f->sources = NULL;
}

static int receive(const char *const *environ, char **ret_text, size_t *ret_len, struct errmsg *err)
{
    (void)environ;
    (void)err;
    *ret_text = strdup("[uwsgi]\nmodule = %n %s\nstats = @(exec://id)\n");
    *ret_len = strlen(*ret_text);
    return 0;
}

static void test_emperor(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(fixture_load(f, "emperor://a:1.ini", NULL), -EINVAL);
    assert_string_equal(f->err.text, "command line: 'emperor://a:1.ini': this program reads "
                                     "nothing from an Emperor");
    f->receive = receive;
    assert_int_equal(fixture_load(f, "--config", "emperor://a:1.ini", NULL), -EPERM);
    assert_non_null(strstr(f->err.text, "emperor://a:1.ini:3: @(): 'exec://id' is said by a text "
                                        "that is no file of this machine"));
    f->receive = NULL;
}

static void test_trust(void **state)
{
    struct fixture *f = *state;

    /* A file that others may write to names no command; plain files it may. */
    fixture_write(f, "open.ini",
                  "[uwsgi]\ninclude = plain.ini\nset = cmd=exec://echo\n"
                  "ienv = CMD=echo 5\n");
    fixture_write(f, "plain.ini", "[uwsgi]\nstats = plain\n");
    fixture_write(f, "open.txt", "exec://echo 7");
    set_mode(f, "open.ini", 0666);
    set_mode(f, "open.txt", 0666);
    set_mode(f, "plain.ini", 0660);
    assert_int_equal(fixture_load(f, "open.ini", NULL), 0);
    assert_setting(f, "stats", "plain");

    /* Nor does it speak through a file that may. */
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"include = %(cmd)\n", "app.ini:3: 'exec://echo' is said by a file that others"},
        {"include = exec://true %(cmd)\n", "app.ini:3: 'exec://true exec://echo' is said by"},
        {"x = @(exec://$(CMD))\n", "app.ini:3: @(): 'exec://echo 5' is said by"},
        {"include = @(open.txt)\n", "app.ini:3: 'exec://echo 7' is said by"},
        {"ienv = A=$(CMD)\nx = @(exec://$(A))\n", "app.ini:4: @(): 'exec://echo 5' is said by"},
        {"set = a=%(cmd)\ninclude = %(a)\n", "app.ini:4: 'exec://echo' is said by"},
        {"include = http://u:p@127.0.0.1:1/%(cmd)?s=1\n",
         "app.ini:3: 'http://127.0.0.1:1/exec://echo' is said by"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[512];
        (void)snprintf(text, sizeof(text), "[uwsgi]\ninclude = open.ini\n%s", cases[i].text);
        assert_int_equal(fixture_load_text(f, text), -EPERM);
        if (strncmp(f->err.text, cases[i].message, strlen(cases[i].message)) != 0)
            assert_string_equal(f->err.text, cases[i].message);
    }
    assert_int_equal(
        fixture_load_text(f, "[uwsgi]\ninclude = open.ini\nmodule = @(exec://echo 5)\n"), 0);
    assert_setting(f, "module", "5");
}

/* The name of a file is not to be a command. */
static void test_names_in_commands(void **state)
{
    static const char *const texts[] = {
        "[uwsgi]\nmodule = @(exec://echo %n)\n",
        "[uwsgi]\nset = name=%N\ninclude = exec://echo %(name)\n",
    };
    struct fixture *f = *state;

    fixture_write(f, "a;id.ini", "[uwsgi]\ninclude = part.ini\nmodule = %n\n");
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        fixture_write(f, "part.ini", texts[i]);
        assert_int_equal(fixture_load(f, "a;id.ini", NULL), -EPERM);
        assert_non_null(strstr(f->err.text, "characters that a shell acts on"));
    }
    fixture_write(f, "part.ini", "[uwsgi]\nstats = @(exec://echo same)\n");
    assert_int_equal(fixture_load(f, "a;id.ini", NULL), 0);
    assert_setting(f, "module", "a;id");
}

static void test_refusals(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"include = section://s\n",
         "app.ini:2: 'section://s': no texts are built into this program"},
        {"include = data://x\n", "app.ini:2: cannot read 'data://x': no number of a text"},
        {"include = callint://f\n",
         "app.ini:2: 'callint://f': nothing that a configuration says loads code"},
        {"include = gopher://h/x\n",
         "app.ini:2: 'gopher://h/x': there is no such kind of source; there are: a path, -, "
         "file:// http:// https:// exec:// fd:// emperor:// data://"},
        {"include = exec://\n", "app.ini:2: 'exec://': nothing follows"},
        {"include = fd://-1\n", "app.ini:2: cannot read 'fd://-1': no number of a descriptor"},
        {"include = fd://99999\n", "app.ini:2: cannot read 'fd://99999': Bad file descriptor"},
        {"include = exec://echo no >&2; false\n",
         "app.ini:2: cannot read 'exec://echo no >&2; false': exited with code 1: no"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(f, cases[i].text, cases[i].message);
}

static void test_sections(void **state)
{
    static const struct {
        const char *spec, *rest, *section;
    } cases[] = {
        {"a.ini:b", "a.ini", "b"},
        {"http://h/a.ini:b", "http://h/a.ini", "b"},
        {"http://h:80/a.ini", "http://h:80/a.ini", NULL},
        {"http://h:80", "http://h:80", NULL},
        {"http://h/a?x=1:2", "http://h/a?x=1:2", NULL},
        {"exec://echo a:b", "exec://echo a:b", NULL},
        {"emperor://a:b", "emperor://a:b", NULL},
        {"fd://4:b", "fd://4", "b"},
        {"-:b", "-", "b"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char spec[64];
        (void)snprintf(spec, sizeof(spec), "%s", cases[i].spec);
        const char *section = source_split_section(spec);
        assert_string_equal(spec, cases[i].rest);
        assert_string_equal(section ? section : "-", cases[i].section ? cases[i].section : "-");
    }
}

static void test_names(void **state)
{
    static const struct {
        const char *uri, *path, *shown;
    } cases[] = {
        {"/tmp/a.ini", "/tmp/a.ini", "/tmp/a.ini"},
        {"exec://cat x", "/tmp/exec", "exec://cat x"},
        {"-", "/tmp/stdin", "-"},
        {"emperor://a.ini", "/tmp/a.ini", "emperor://a.ini"},
        {"emperor:///v/a.ini", "/v/a.ini", "emperor:///v/a.ini"},
        {"https://u:p@h:1/d/a.ini?t=k#f", "https://h:1/d/a.ini", "https://h:1/d/a.ini"},
        {"http://h", "http://h/", "http://h"},
        {"http://h/a@b", "http://h/a@b", "http://h/a@b"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct errmsg err = {""};
        struct shown shown;
        char *path = NULL;
        assert_int_equal(source_path("/tmp", cases[i].uri, &path, &err), 0);
        assert_string_equal(path, cases[i].path);
        assert_string_equal(source_shown(cases[i].uri, &shown), cases[i].shown);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_command, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_nested_commands, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_once, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_descriptor, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_standard_input, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_fifo, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_emperor, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_trust, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_names_in_commands, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_refusals, fixture_setup, fixture_teardown),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
