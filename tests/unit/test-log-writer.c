/* SPDX-License-Identifier: MIT */
/* The log's writer on disks that are full, slow or stopped: each line is written whole or counted,
 * and what is said to be missing adds up to what was counted. A limit on the size of files stands
 * for a full disk, a FIFO that nobody reads for one that has stopped. */
#include "instance/log-writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "unit.h"

#define PATIENCE_US (20 * US_PER_SEC)

static char folder[] = "/tmp/liege-log-writer-XXXXXX";
static char path[sizeof(folder) + 8];

static int make_folder(void **state)
{
    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/log", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static struct log_writer *start(size_t n_sinks)
{
    struct log_sink sinks[2];
    struct log_writer *w = NULL;
    struct errmsg err = {""};

    for (size_t i = 0; i < n_sinks; i++)
        assert_int_equal(log_sink_open(&sinks[i], i == 0 ? path : "file:/dev/null", NULL, &err), 0);
    assert_int_equal(log_writer_start(sinks, n_sinks, &w), 0);
    return w;
}

static void put(struct log_writer *w, unsigned number, size_t len)
{
    char line[2048];

    int n = snprintf(line, sizeof(line), "%06u %0*d\n", number, (int)len - 8, 0);
    assert_int_equal(n, len);
    log_writer_put(w, line, len);
}

static void wait_dropped(struct log_writer *w, uint64_t n)
{
    uint64_t end = clock_now_us() + PATIENCE_US;

    while (log_writer_dropped(w) != n && clock_now_us() < end)
        (void)usleep(1000);
    assert_int_equal(log_writer_dropped(w), n);
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;

    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

struct found {
    uint64_t n_lines, n_missing, n_others;
    unsigned last; /* number of a line */
};

/* What the lines of @text are. Numbers only grow. */
static struct found look(char *text, size_t len)
{
    struct found f = {0};
    char *save = NULL;

    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        const char *missing = strstr(line, " lines are missing here");
        unsigned number = (unsigned)strtoul(line, NULL, 10);
        if (missing) {
            const char *at = missing;
            while (at > line && at[-1] >= '0' && at[-1] <= '9')
                at--;
            f.n_missing += strtoull(at, NULL, 10);
        } else if (strlen(line) + 1 == len) {
            assert_true(number > f.last);
            f.last = number;
            f.n_lines++;
        } else {
            f.n_others++;
        }
    }
    return f;
}

static struct found look_at_file(size_t len)
{
    static char text[1 << 20];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    assert_true(n >= 0);
    text[n] = '\0';
    (void)close(fd);
    (void)unlink(path);
    return look(text, len);
}

/* The file takes five lines and a part of the sixth; fourteen more come one by one, so that what is
 * missing is tried to be said again and again. */
static void fill_disk(size_t n_sinks)
{
    struct log_writer *w = start(n_sinks);

    limit_files(110);
    for (unsigned i = 1; i <= 20; i++) {
        put(w, i, 20);
        wait_dropped(w, i > 5 ? i - 5 : 0);
    }
    limit_files(RLIM_INFINITY);
    put(w, 21, 20);
    assert_null(log_writer_free(w, PATIENCE_US));

    struct found f = look_at_file(20);
    assert_int_equal(f.n_lines, 6);
    assert_int_equal(f.last, 21);
    assert_int_equal(f.n_missing, 15);
    assert_int_equal(f.n_others, 1); /* the part, which no other line is glued to */
}

static void test_full_disk(void **state)
{
    (void)state;
    fill_disk(1);
}

/* A line that one of two sinks has not got is missing; it counts once. */
static void test_full_disk_of_two(void **state)
{
    (void)state;
    fill_disk(2);
}

/* Each line that was put is there, whole, or said to be missing, several times round the ring. */
static void test_stopped_disk(void **state)
{
    const unsigned n = 20000;
    const size_t len = 999, size = (size_t)32 << 20;
    char *text = malloc(size);
    size_t used = 0;

    (void)state;
    assert_non_null(text);
    assert_int_equal(mkfifo(path, 0600), 0);
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    struct log_writer *w = start(1);
    for (unsigned i = 1; i <= n; i++) {
        put(w, i, len);
        /* Nothing is read of the first 6 MB, and half of what follows. */
        if (i > 6000 && i % 2 == 0) {
            ssize_t got = read(fd, text + used, len);
            used += got > 0 ? (size_t)got : 0;
        }
    }
    uint64_t end = clock_now_us() + PATIENCE_US;
    unsigned next = n;
    struct found f = {0};
    do { /* now all of it, until a line that comes later is there */
        (void)usleep(1000);
        ssize_t got = read(fd, text + used, size - 1 - used);
        used += got > 0 ? (size_t)got : 0;
        if (got < 0 && next == n)
            put(w, ++next, len);
        char *copy = strndup(text, used);
        f = got < 0 ? look(copy, len) : f;
        free(copy);
    } while (f.last != n + 1 && clock_now_us() < end);
    assert_true(log_writer_dropped(w) > 0);
    assert_int_equal(f.n_missing, log_writer_dropped(w));
    assert_int_equal(f.n_lines + f.n_missing, n + 1);
    assert_int_equal(f.n_others, 0);
    assert_null(log_writer_free(w, PATIENCE_US));
    (void)close(fd);
    (void)unlink(path);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_full_disk_of_two),
        cmocka_unit_test(test_stopped_disk),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
