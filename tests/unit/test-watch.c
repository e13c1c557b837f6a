/* SPDX-License-Identifier: MIT */
/* inotify in the loop: what is told, in which order, and that a loss is told too. */
#include "loop/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit-loop.h"

#define MAX_EVENTS 1000

static struct event {
    int wd;
    uint32_t mask;
    char name[64];
} events[MAX_EVENTS];
static size_t n_events, n_awaited;
static bool overflowed;

static char folder[sizeof(UNIT_FOLDER)];
static struct watch *watch;

static void on_event(void *data, int wd, uint32_t mask, const char *name)
{
    assert_ptr_equal(data, events);
    if (mask & IN_Q_OVERFLOW) {
        assert_int_equal(wd, -1);
        assert_string_equal(name, "");
        overflowed = true;
        loop_stop(unit_loop, 0);
        return;
    }
    if (n_events < MAX_EVENTS) {
        struct event *e = &events[n_events];
        e->wd = wd;
        e->mask = mask;
        (void)snprintf(e->name, sizeof(e->name), "%s", name);
    }
    if (++n_events == n_awaited)
        loop_stop(unit_loop, 0);
}

static int set_up(void **state)
{
    n_events = n_awaited = 0;
    overflowed = false;
    unit_make_folder(folder);
    return unit_make_loop(state) < 0 ? -1 : watch_new(unit_loop, on_event, events, &watch);
}

static int tear_down(void **state)
{
    watch = watch_free(watch);
    unit_remove_folder(folder);
    return unit_free_loop(state);
}

/* The path of @name in the folder; good until the next call. */
static const char *in_folder(const char *name)
{
    static char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void touch(const char *name)
{
    int fd = open(in_folder(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    (void)close(fd);
}

static void wait_for(size_t n)
{
    n_awaited = n;
    assert_int_equal(unit_run_loop(), 0);
    assert_int_equal(n_events, n);
}

static void assert_event(size_t i, int wd, uint32_t mask, const char *name)
{
    assert_int_equal(events[i].wd, wd);
    assert_int_equal(events[i].mask, mask);
    assert_string_equal(events[i].name, name);
}

static void test_folder(void **state)
{
    int wd = watch_add(watch, folder, IN_CREATE | IN_DELETE | IN_CLOSE_WRITE);

    (void)state;
    assert_true(wd > 0);
    assert_int_equal(watch_add(watch, folder, IN_CREATE | IN_DELETE | IN_CLOSE_WRITE), wd);
    touch("a.ini");
    touch("b.ini");
    assert_int_equal(unlink(in_folder("a.ini")), 0);
    wait_for(5);
    assert_event(0, wd, IN_CREATE, "a.ini");
    assert_event(1, wd, IN_CLOSE_WRITE, "a.ini");
    assert_event(2, wd, IN_CREATE, "b.ini");
    assert_event(3, wd, IN_CLOSE_WRITE, "b.ini");
    assert_event(4, wd, IN_DELETE, "a.ini");
}

/* A watched file tells of itself, without a name; its end ends the watch. */
static void test_file(void **state)
{
    (void)state;
    touch("file");
    int wd = watch_add(watch, in_folder("file"), IN_ATTRIB | IN_DELETE_SELF);
    assert_true(wd > 0);
    assert_int_equal(chmod(in_folder("file"), 0644), 0);
    wait_for(1);
    assert_event(0, wd, IN_ATTRIB, "");
    assert_int_equal(unlink(in_folder("file")), 0);
    wait_for(4);
    assert_event(1, wd, IN_ATTRIB, ""); /* its number of links */
    assert_event(2, wd, IN_DELETE_SELF, "");
    assert_event(3, wd, IN_IGNORED, "");
    watch_remove(watch, wd); /* gone already */
}

static void test_remove(void **state)
{
    int wd = watch_add(watch, folder, IN_CREATE);

    (void)state;
    watch_remove(watch, wd);
    touch("unseen");
    wait_for(1);
    assert_event(0, wd, IN_IGNORED, "");
}

/* More than one read(2) gives. */
static void test_many(void **state)
{
    char name[64];

    (void)state;
    assert_true(watch_add(watch, folder, IN_CREATE) > 0);
    for (int i = 0; i < 600; i++) {
        (void)snprintf(name, sizeof(name), "a-rather-long-name-of-a-vassal-%d.ini", i);
        touch(name);
    }
    wait_for(600);
    for (int i = 0; i < 600; i++) {
        (void)snprintf(name, sizeof(name), "a-rather-long-name-of-a-vassal-%d.ini", i);
        assert_string_equal(events[i].name, name);
    }
}

static long queue_limit(void)
{
    char text[32] = "";
    int fd = open("/proc/sys/fs/inotify/max_queued_events", O_RDONLY | O_CLOEXEC);

    assert_true(read(fd, text, sizeof(text) - 1) > 0);
    (void)close(fd);
    return strtol(text, NULL, 10);
}

static void test_overflow(void **state)
{
    long limit = queue_limit();

    (void)state;
    if (limit > 50000)
        skip(); /* it would take too long */
    touch("file");
    int fd = open(in_folder("file"), O_WRONLY | O_CLOEXEC);
    assert_true(watch_add(watch, in_folder("file"), IN_MODIFY | IN_ATTRIB) > 0);
    for (long i = 0; i <= limit; i++) { /* equal ones in a row would be one */
        assert_int_equal(pwrite(fd, "x", 1, 0), 1);
        assert_int_equal(fchmod(fd, 0600), 0);
    }
    (void)close(fd);
    assert_int_equal(unit_run_loop(), 0);
    assert_true(overflowed);
    assert_int_equal(n_events, limit);
}

static void test_refusals(void **state)
{
    size_t n_fds = unit_count_fds();

    (void)state;
    assert_int_equal(watch_add(watch, in_folder("nothing"), IN_CREATE), -ENOENT);
    touch("file");
    assert_int_equal(watch_add(watch, in_folder("file"), IN_CREATE | IN_ONLYDIR), -ENOTDIR);
    watch_remove(watch, 12345);
    assert_null(watch_free(NULL));

    struct watch *another = NULL;
    assert_int_equal(watch_new(unit_loop, on_event, events, &another), 0);
    assert_int_equal(unit_count_fds(), n_fds + 1);
    assert_null(watch_free(another));
    assert_int_equal(unit_count_fds(), n_fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_remove, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_overflow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
