/* SPDX-License-Identifier: MIT */
#include "conf/appended.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

static void append(int fd, const char *text, uint64_t len)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(write(fd, &len, sizeof(len)), sizeof(len));
}

static int open_program(void)
{
    int fd = memfd_create("program", MFD_CLOEXEC);

    assert_true(fd >= 0);
    append(fd, "code", 0); /* ends with zeroes, as programs mostly do */
    return fd;
}

static void assert_text(int fd, unsigned number, const char *wanted)
{
    char *text = NULL;
    size_t len = 0;

    assert_int_equal(appended_read(fd, number, 100, &text, &len), 0);
    assert_string_equal(text, wanted);
    assert_int_equal(len, strlen(wanted));
    free(text);
}

static void assert_none(int fd, unsigned number, size_t max, int error)
{
    char *text = NULL;
    size_t len = 0;

    assert_int_equal(appended_read(fd, number, max, &text, &len), error);
    assert_null(text);
}

static void test_the_last_is_the_first(void **state)
{
    int fd = open_program();

    (void)state;
    append(fd, "one", 3);
    append(fd, "two and more", 12);
    assert_text(fd, 0, "two and more");
    assert_text(fd, 1, "one");
    assert_none(fd, 2, 100, -ENOENT);
    assert_none(fd, 4000000000, 100, -ENOENT);
    assert_none(fd, 0, 11, -EFBIG);
    (void)close(fd);
}

static void test_lengths_that_lead_out_of_the_file(void **state)
{
    static const uint64_t lens[] = {0, 100, UINT64_MAX, UINT64_MAX - 7, INT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(lens) / sizeof(*lens); i++) {
        int fd = open_program();
        append(fd, "one", lens[i]);
        assert_none(fd, 0, 100, -ENOENT);
        assert_none(fd, 1, 100, -ENOENT);
        (void)close(fd);
    }
    int empty = memfd_create("empty", MFD_CLOEXEC);
    assert_none(empty, 0, 100, -ENOENT);
    (void)close(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_is_the_first),
        cmocka_unit_test(test_lengths_that_lead_out_of_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
