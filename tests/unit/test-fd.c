/* SPDX-License-Identifier: MIT */
/* Descriptors: their numbers, their flags, and which of them a child has. What closes descriptors
 * is tried in forked children. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "unit.h"

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static bool is_cloexec(int fd)
{
    return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

/* Puts a file whose content is @name on the number @fd. */
static bool put(int fd, const char *name)
{
    int made = memfd_create(name, MFD_CLOEXEC);
    bool written = made >= 0 && write(made, name, strlen(name)) == (ssize_t)strlen(name);

    if (made != fd) {
        written = written && dup3(made, fd, O_CLOEXEC) == fd;
        (void)close(made);
    }
    return written;
}

static bool holds(int fd, const char *name)
{
    char text[16] = "";

    return pread(fd, text, sizeof(text) - 1, 0) >= 0 && strcmp(text, name) == 0;
}

static void check_arranged(const int sources[3])
{
    char name[8];

    UNIT_CHECK(fd_arrange(3, sources, 3) == 0);
    for (int k = 0; k < 3; k++) {
        (void)snprintf(name, sizeof(name), "%d", sources[k]);
        UNIT_CHECK(holds(3 + k, name));
        UNIT_CHECK(!is_cloexec(3 + k));
    }
    for (int fd = 6; fd < 80; fd++)
        UNIT_CHECK(!is_open(fd));
}

/* The targets are 3 ..., and the sources are in each other's way in every way there is, with all
 * other numbers taken or free. */
static void arrange(void *data)
{
    static const int cases[][3] = {{3, 4, 5},    {5, 4, 3},  {4, 5, 3}, {5, 3, 4},
                                   {20, 30, 40}, {4, 3, 60}, {9, 9, 9}, {5, 9, 5}};

    (void)data;
    for (size_t i = 0; i < 2 * COUNT_OF(cases); i++) {
        const int *sources = cases[i / 2];
        UNIT_CHECK(fd_close_from(3) == 0);
        for (int fd = 3; fd < 70; fd++) {
            char name[8];
            (void)snprintf(name, sizeof(name), "%d", fd);
            if (i % 2 == 0 || fd == sources[0] || fd == sources[1] || fd == sources[2])
                UNIT_CHECK(put(fd, name));
        }
        check_arranged(sources);
    }
}

/* A number without a descriptor stays closed, even if something stood there. */
static void arrange_with_holes(void *data)
{
    const int fds[] = {-1, 10, -1};

    (void)data;
    UNIT_CHECK(fd_close_from(3) == 0);
    UNIT_CHECK(put(3, "3") && put(5, "5") && put(10, "10"));
    UNIT_CHECK(fd_arrange(3, fds, COUNT_OF(fds)) == 0);
    UNIT_CHECK(!is_open(3) && holds(4, "10") && !is_open(5) && !is_open(10));
}

static void arrange_standard_ones(void *data)
{
    const int fds[] = {11, 10, 2};

    (void)data;
    UNIT_CHECK(fd_close_from(3) == 0);
    UNIT_CHECK(put(10, "10") && put(11, "11"));
    UNIT_CHECK(fd_arrange(0, fds, COUNT_OF(fds)) == 0);
    UNIT_CHECK(holds(0, "11") && holds(1, "10") && is_open(2) && !is_open(3) && !is_open(10));
}

static void refuse_to_arrange(void *data)
{
    const int closed[] = {60};
    int many[17];

    (void)data;
    UNIT_CHECK(fd_close_from(3) == 0);
    UNIT_CHECK(fd_arrange(3, closed, 1) == -EBADF);
    for (size_t i = 0; i < COUNT_OF(many); i++)
        many[i] = 0;
    UNIT_CHECK(fd_arrange(3, many, COUNT_OF(many)) == -E2BIG);
}

static void test_arrange(void **state)
{
    (void)state;
    assert_int_equal(unit_run_child(arrange, NULL), 0);
    assert_int_equal(unit_run_child(arrange_with_holes, NULL), 0);
    assert_int_equal(unit_run_child(arrange_standard_ones, NULL), 0);
    assert_int_equal(unit_run_child(refuse_to_arrange, NULL), 0);
}

static void close_all_except(void *data)
{
    static const struct {
        int keep[6];
        size_t n_keep;
    } cases[] = {
        {{0}, 0},          {{3}, 1},
        {{29}, 1},         {{28, 3, 10, 11}, 4},
        {{10, 10, 10}, 3}, {{-1, 7, -9, 1, 2}, 5},
        {{500}, 1}, /* not open */
    };

    (void)data;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (int fd = 3; fd < 30; fd++)
            UNIT_CHECK(put(fd, "x"));
        UNIT_CHECK(fd_close_all_except(cases[i].keep, cases[i].n_keep) == 0);
        for (int fd = 0; fd < 40; fd++) {
            bool kept = fd < 3;
            for (size_t k = 0; k < cases[i].n_keep; k++)
                kept = kept || cases[i].keep[k] == fd;
            UNIT_CHECK(is_open(fd) == kept);
        }
    }
    UNIT_CHECK(fd_close_all_except(NULL, 0) == 0);
}

static void test_close_all_except(void **state)
{
    (void)state;
    assert_int_equal(unit_run_child(close_all_except, NULL), 0);
}

static void test_flags(void **state)
{
    int fds[2] = {-1, -1};
    int type = 0;
    socklen_t len = sizeof(type);

    (void)state;
    assert_int_equal(fd_socketpair(SOCK_SEQPACKET | SOCK_NONBLOCK, fds), 0);
    assert_int_equal(getsockopt(fds[1], SOL_SOCKET, SO_TYPE, &type, &len), 0);
    assert_int_equal(type, SOCK_SEQPACKET);
    assert_true(is_cloexec(fds[0]) && is_cloexec(fds[1]));
    assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);

    assert_int_equal(fd_set_cloexec(fds[0], false), 0);
    assert_false(is_cloexec(fds[0]));
    assert_int_equal(fd_set_cloexec(fds[0], true), 0);
    assert_true(is_cloexec(fds[0]));
    assert_int_equal(fd_set_nonblock(fds[0], false), 0);
    assert_int_equal(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fd_set_nonblock(fds[0], true), 0);
    assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
    (void)close(fds[0]);
    (void)close(fds[1]);
    assert_int_equal(fd_set_nonblock(fds[0], true), -EBADF);
    assert_int_equal(fd_set_cloexec(fds[0], true), -EBADF);
    assert_int_equal(fd_socketpair(9999, fds), -EINVAL);
}

static void test_read_all(void **state)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 100000};
    char folder[sizeof(UNIT_FOLDER)], path[64];

    (void)state;
    unit_make_folder(folder);
    (void)snprintf(path, sizeof(path), "%s/file", folder);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        _cleanup_free_ char *text = NULL;
        size_t len = 0;
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(dprintf(fd, "%c", (int)('a' + k % 26)), 1);
        assert_int_equal(file_read_all(path, sizes[i], &text, &len), 0);
        assert_int_equal(len, sizes[i]);
        assert_int_equal(strlen(text), sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++)
            assert_int_equal(text[k], 'a' + k % 26);
        if (sizes[i] > 0)
            assert_int_equal(file_read_all(path, sizes[i] - 1, &text, &len), -EFBIG);
    }
    unit_remove_folder(folder);
}

static void test_read_all_refusals(void **state)
{
    size_t before = unit_count_fds(), len = 0;
    char *text = NULL;

    (void)state;
    assert_int_equal(file_read_all("/nonexistent/file", 10, &text, &len), -ENOENT);
    assert_int_equal(file_read_all("/tmp", 10, &text, &len), -EISDIR);
    assert_null(text);
    assert_int_equal(unit_count_fds(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrange),
        cmocka_unit_test(test_close_all_except),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_read_all),
        cmocka_unit_test(test_read_all_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
