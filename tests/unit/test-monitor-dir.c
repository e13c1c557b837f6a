/* SPDX-License-Identifier: MIT */
/* Monitors of files over real directories, in the loop. Each test is a list of steps: what is done
 * to the files, and what the monitor tells after that, in any order, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/strv.h"
#include "emperor/monitor.h"

#define PATIENCE_US (20 * US_PER_SEC)

/* Longer than any silence that a monitor waits for. */
#define SILENCE_US (300 * US_PER_MS)

#define MAX_STEPS 16

struct step {
    const char *commands; /* "verb path [path]; ..."; paths are below the test's own directory */
    const char *told;     /* "+added *changed -removed" */
};

static struct {
    char root[64];
    struct emperor_conf conf;
    struct loop *loop;
    struct monitor *monitor;
    struct monitor_item *item; /* told last */
    const struct step *step;
    struct liege_list told;
    struct loop_timer patience, silence;
    unsigned serial;
    char again[256]; /* is written twice when something is told */
} t;

/* Verbs. @a and @b are the words as written, absolute unless the verb says otherwise. */

static void do_write(const char *a, const char *b)
{
    char text[32];
    int fd = open(a, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    int n = snprintf(text, sizeof(text), "%u", t.serial++);

    (void)b;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, (size_t)n), n);
    assert_int_equal(close(fd), 0);
}

static void do_again_when_told(const char *a, const char *b)
{
    (void)b;
    (void)snprintf(t.again, sizeof(t.again), "%s", a);
}

static void do_mkdir(const char *a, const char *b)
{
    (void)b;
    assert_int_equal(mkdir(a, 0755), 0);
}

static void do_rmdir(const char *a, const char *b)
{
    (void)b;
    assert_int_equal(rmdir(a), 0);
}

static void do_rename(const char *a, const char *b)
{
    assert_int_equal(rename(a, b), 0);
}

static void do_unlink(const char *a, const char *b)
{
    (void)b;
    assert_int_equal(unlink(a), 0);
}

static void do_link(const char *a, const char *b)
{
    assert_int_equal(link(a, b), 0);
}

/* The target is @b as it is written. */
static void do_symlink(const char *a, const char *b)
{
    assert_int_equal(symlink(b + strlen(t.root) + 1, a), 0);
}

static void do_touch(const char *a, const char *b)
{
    (void)b;
    assert_int_equal(utimensat(AT_FDCWD, a, NULL, 0), 0);
}

static void do_touch_link(const char *a, const char *b)
{
    (void)b;
    assert_int_equal(utimensat(AT_FDCWD, a, NULL, AT_SYMLINK_NOFOLLOW), 0);
}

static void do_age(const char *a, const char *b)
{
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

    (void)b;
    assert_int_equal(utimensat(AT_FDCWD, a, old, 0), 0);
}

static void do_chmod(const char *a, const char *b)
{
    (void)b;
    assert_int_equal(chmod(a, 0600), 0);
}

static void do_include(const char *a, const char *b)
{
    (void)b;
    t.monitor->ops->include(t.monitor, t.item, a);
}

static void do_forget_includes(const char *a, const char *b)
{
    (void)a;
    (void)b;
    t.monitor->ops->include(t.monitor, t.item, NULL);
}

static void on_event(void *data, struct monitor *m, enum monitor_event event,
                     struct monitor_item *item);

static void do_watch(const char *a, const char *b)
{
    struct errmsg err = {""};

    (void)b;
    assert_int_equal(monitor_new(a, &t.conf, t.loop, on_event, NULL, &t.monitor, &err), 0);
    assert_int_equal(t.monitor->ops->start(t.monitor), 0);
}

static const struct {
    const char *name;
    void (*fn)(const char *a, const char *b);
} verbs[] = {
    {"write", do_write},
    {"mkdir", do_mkdir},
    {"rmdir", do_rmdir},
    {"rename", do_rename},
    {"unlink", do_unlink},
    {"link", do_link},
    {"symlink", do_symlink},
    {"touch", do_touch},
    {"touch-link", do_touch_link},
    {"age", do_age},
    {"chmod", do_chmod},
    {"include", do_include},
    {"watch", do_watch},
    {"forget-includes", do_forget_includes},
    {"again-when-told", do_again_when_told},
};

static void run_command(char *command)
{
    char paths[2][256] = {"", ""}, *rest = NULL;
    const char *verb = strtok_r(command, " ", &rest);

    for (int i = 0; i < 2; i++) {
        const char *word = strtok_r(NULL, " ", &rest);
        if (word)
            (void)snprintf(paths[i], sizeof(paths[i]), "%s/%s", t.root, word);
    }
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (strcmp(verbs[i].name, verb) == 0) {
            verbs[i].fn(paths[0], paths[1]);
            return;
        }
    fail_msg("no verb %s", verb);
}

static size_t n_words(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text != ' ' && (text[1] == ' ' || text[1] == '\0');
    return n;
}

static void arm_silence(void)
{
    if (t.told.n_items >= n_words(t.step->told))
        loop_timer_set(t.loop, &t.silence, clock_now_us() + SILENCE_US);
}

static void begin_step(void)
{
    char commands[512], *rest = NULL;

    if (!t.step->commands) {
        loop_stop(t.loop, 0);
        return;
    }
    (void)snprintf(commands, sizeof(commands), "%s", t.step->commands);
    for (char *c = strtok_r(commands, ";", &rest); c; c = strtok_r(NULL, ";", &rest))
        run_command(c);
    loop_timer_set(t.loop, &t.patience, clock_now_us() + PATIENCE_US);
    arm_silence();
}

static void on_event(void *data, struct monitor *m, enum monitor_event event,
                     struct monitor_item *item)
{
    static const char signs[] = {[MONITOR_ADDED] = '+',
                                 [MONITOR_CHANGED] = '*',
                                 [MONITOR_RENEWED] = '~',
                                 [MONITOR_REMOVED] = '-'};
    if (event == MONITOR_SETTLED)
        return;
    bool long_name = str_starts(item->name, t.root);

    (void)data;
    assert_ptr_equal(m, t.monitor);
    t.item = item;
    assert_int_equal(strv_appendf(&t.told, "%c%s", signs[event],
                                  long_name ? item->name + strlen(t.root) + 1 : item->name),
                     0);
    if (t.again[0]) {
        do_write(t.again, NULL);
        do_write(t.again, NULL);
        t.again[0] = '\0';
    }
    arm_silence();
}

/* Nothing more is told: compares, and goes on. */
static void on_silence(struct loop_timer *timer)
{
    char text[512], *rest = NULL;

    (void)timer;
    (void)snprintf(text, sizeof(text), "%s", t.step->told);
    for (char *w = strtok_r(text, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
        if (!strv_contains(&t.told, w))
            fail_msg("after '%s': %s was not told", t.step->commands, w);
    if (t.told.n_items != n_words(t.step->told))
        fail_msg("after '%s': %s was told", t.step->commands, t.told.items[t.told.n_items - 1]);
    strv_done(&t.told);
    t.step++;
    begin_step();
}

static void on_patience(struct loop_timer *timer)
{
    (void)timer;
    fail_msg("after '%s': '%s' was not told", t.step->commands, t.step->told);
}

/* Runs @steps, which end with one without commands, in a directory with v/ and other/. */
static void run(const struct step *steps)
{
    t.step = steps;
    begin_step();
    assert_int_equal(loop_run(t.loop), 0);
}

static int set_up(void **state)
{
    (void)state;
    memset(&t, 0, sizeof(t));
    t.conf.freq_us = 100 * US_PER_MS;
    t.silence.fn = on_silence;
    t.patience.fn = on_patience;
    log_set_max_level(LOG_ERR);
    (void)snprintf(t.root, sizeof(t.root), "/tmp/liege-monitor-XXXXXX");
    if (!mkdtemp(t.root) || chdir(t.root) < 0 || mkdir("v", 0755) < 0 || mkdir("other", 0755) < 0)
        return -1;
    return loop_new(&t.loop);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    t.monitor = monitor_free(t.monitor);
    t.loop = loop_free(t.loop);
    strv_done(&t.told);
    return chdir("/") < 0 ? -1 : nftw(t.root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const struct {
    const char *name;
    struct step steps[MAX_STEPS];
} cases[] = {
    {"what is there first",
     {{"write v/a.ini; write v/b.yaml; write v/c.conf; write v/.d.ini; write v/e.ini~", ""},
      {"mkdir v/f.ini; watch v", "+a.ini +b.yaml"}}},
    {"renamed into place",
     {{"watch v", ""}, {"write v/a.ini.new", ""}, {"rename v/a.ini.new v/a.ini", "+a.ini"}}},
    {"written and closed", {{"watch v", ""}, {"write v/a.ini", "+a.ini"}}},
    {"linked into place",
     {{"write other/a; write other/b; watch v", ""},
      {"link other/a v/a.ini; symlink v/b.ini ../other/b", "+a.ini +b.ini"}}},
    {"many writes are one change",
     {{"write v/a.ini; watch v", "+a.ini"},
      {"write v/a.ini; write v/a.ini; touch v/a.ini; write v/a.ini; write v/a.ini", "*a.ini"}}},
    {"a change soon after another one waits, and is told",
     {{"write v/a.ini; watch v", "+a.ini"},
      {"write v/a.ini; again-when-told v/a.ini", "*a.ini *a.ini"}}},
    {"touch is a change and chmod is not",
     {{"write v/a.ini; watch v", "+a.ini"}, {"chmod v/a.ini", ""}, {"touch v/a.ini", "*a.ini"}}},
    {"an older file in its place is a change",
     {{"write v/a.ini; watch v", "+a.ini"},
      {"write other/a; age other/a; rename other/a v/a.ini", "*a.ini"}}},
    {"removed and written again is a change",
     {{"write v/a.ini; watch v", "+a.ini"},
      {"unlink v/a.ini; write v/a.ini", "*a.ini"},
      {"rename v/a.ini v/a.ini~; write v/a.ini", "*a.ini"}}},
    {"removed",
     {{"write v/a.ini; write v/b.ini; watch v", "+a.ini +b.ini"},
      {"unlink v/a.ini; rename v/b.ini other/b.ini", "-a.ini -b.ini"},
      {"rename other/b.ini v/b.ini", "+b.ini"}}},
    {"renamed",
     {{"write v/a.ini; watch v", "+a.ini"}, {"rename v/a.ini v/b.ini", "-a.ini +b.ini"}}},
    {"a link is what it points to",
     {{"write other/a; symlink v/a.ini ../other/a; watch v", "+a.ini"},
      {"write other/a", "*a.ini"},
      {"write other/new; rename other/new other/a", "*a.ini"},
      {"touch-link v/a.ini", ""},
      {"unlink other/a", "-a.ini"},
      {"write other/a", "+a.ini"}}},
    {"a link through a link that is swapped",
     {{"mkdir v/..1; mkdir v/..2; write v/..1/a.ini; write v/..2/a.ini", ""},
      {"symlink v/..data ..1; symlink v/a.ini ..data/a.ini; watch v", "+a.ini"},
      {"symlink v/..data_tmp ..2; rename v/..data_tmp v/..data", "*a.ini"},
      {"unlink v/..1/a.ini; rmdir v/..1", ""},
      {"write v/..2/a.ini", "*a.ini"}}},
    {"a directory that comes later",
     {{"watch later/v", ""}, {"mkdir later; mkdir later/v; write later/v/a.ini", "+a.ini"}}},
    {"a directory that goes away stops nobody",
     {{"write v/a.ini; watch v", "+a.ini"},
      {"rename v gone", ""},
      {"rename gone v", ""},
      {"write v/a.ini", "*a.ini"}}},
    {"a directory that is removed with its files",
     {{"write v/a.ini; watch v", "+a.ini"}, {"unlink v/a.ini; rmdir v", "-a.ini"}}},
    {"a pattern with directories",
     {{"mkdir home; mkdir home/ann; write home/ann/app.ini", ""},
      {"watch home/*/app.ini", "+home/ann/app.ini"},
      {"write home/ann/other.ini; mkdir home/bob; write home/bob/app.ini", "+home/bob/app.ini"},
      {"write home/bob/app.ini", "*home/bob/app.ini"},
      {"unlink home/ann/app.ini; rename home/bob bob", "-home/ann/app.ini -home/bob/app.ini"}}},
    {"one file",
     {{"watch v/a.ini", ""},
      {"write v/b.ini; write v/a.ini", "+v/a.ini"},
      {"unlink v/a.ini", "-v/a.ini"}}},
    {"an included file",
     {{"write v/a.ini; write other/common.ini; watch v", "+a.ini"},
      {"include other/common.ini; write other/common.ini", "~a.ini"},
      {"unlink other/common.ini", ""},
      {"write other/common.ini", "~a.ini"},
      {"forget-includes", ""},
      {"write other/common.ini", ""}}},
};

static void test_cases(void **state)
{
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        print_message("- %s\n", cases[i].name);
        assert_int_equal(set_up(state), 0);
        run(cases[i].steps);
        assert_int_equal(t.monitor->place, 0);
        assert_int_equal(tear_down(state), 0);
    }
}

static void test_link_itself_with_nofollow(void **state)
{
    static const struct step steps[] = {
        {"write other/a; symlink v/a.ini ../other/a; watch v", "+a.ini"},
        {"write other/a", ""},
        {"touch-link v/a.ini", "*a.ini"},
        {NULL, NULL},
    };

    (void)state;
    t.conf.nofollow = true;
    run(steps);
}

static void test_directory_that_is_another_one(void **state)
{
    static const struct step steps[] = {
        {"write v/a.ini; write v/b.ini; write other/a.ini; symlink current v", ""},
        {"watch current", "+a.ini +b.ini"},
        {"symlink next other; rename next current", "*a.ini -b.ini"},
        {NULL, NULL},
    };

    (void)state;
    run(steps);
    assert_int_equal(t.monitor->place, 1);
}

static void test_refused_sources(void **state)
{
    struct errmsg err = {""};

    (void)state;
    assert_int_equal(monitor_check("zmq://tcp://127.0.0.1:1", &err), -EINVAL);
    assert_non_null(strstr(err.text, "zmq://"));
    assert_int_equal(monitor_check("dir://", &err), -EINVAL);
    assert_int_equal(monitor_check("/srv/vassals", &err), 0);
}

static void test_names(void **state)
{
    char foo[] = ".foo", *extra[] = {foo, NULL};
    struct emperor_conf conf = {.extensions = {extra, 1}};
    char name[256 + 4];

    (void)state;
    assert_true(monitor_accepts_name(&conf, "x.foo"));
    assert_true(monitor_accepts_name(&conf, "x:zerg.js"));
    assert_false(monitor_accepts_name(&conf, "x.skel"));
    assert_false(monitor_accepts_name(&conf, "4913"));
    assert_false(monitor_accepts_name(&conf, ".x.ini.swp"));
    assert_false(monitor_accepts_name(&conf, ""));
    memset(name, 'x', sizeof(name));
    memcpy(name + 251, ".ini", 5);
    assert_false(monitor_accepts_name(&conf, name));
    assert_true(monitor_accepts_name(&conf, name + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test_setup_teardown(test_link_itself_with_nofollow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_directory_that_is_another_one, set_up, tear_down),
        cmocka_unit_test(test_refused_sources),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
