/* SPDX-License-Identifier: MIT */
/* Texts of sources from process to process, and what is refused there. */
#include "conf/source-cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

static void fill(struct source_cache *c)
{
    const struct source_entry entries[] = {
        {.uri = (char *)"-", .text = (char *)"a\0b", .len = 3, .kept = true},
        {.uri = (char *)"exec://date", .text = (char *)"", .len = 0},
        {.uri = (char *)"fifo",
         .text = (char *)"x",
         .len = 1,
         .trust = {.flaw = TRUST_OWNER, .owner = 33}},
    };

    for (size_t i = 0; i < COUNT_OF(entries); i++)
        assert_int_equal(source_cache_add(c, &entries[i]), 0);
}

static void test_there_and_back(void **state)
{
    struct source_cache a = {0}, b = {0};
    size_t fds = unit_count_fds();

    (void)state;
    fill(&a);
    int fd = source_cache_seal(&a, false);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), -1);
    assert_int_equal(source_cache_read(&b, fd), 0);
    assert_int_equal(b.n_entries, 3);
    assert_int_equal(b.n_bytes, 4);
    const struct source_entry *e = source_cache_find(&b, "-");
    assert_non_null(e);
    assert_memory_equal(e->text, "a\0b", 4);
    assert_true(e->kept);
    assert_int_equal(source_cache_find(&b, "fifo")->trust.owner, 33);
    assert_int_equal(source_cache_find(&b, "fifo")->trust.flaw, TRUST_OWNER);
    assert_null(source_cache_find(&b, "exec://"));
    source_cache_done(&a);
    source_cache_done(&b);
    (void)close(fd);
    assert_int_equal(unit_count_fds(), fds);
}

static void test_expire(void **state)
{
    struct source_cache c = {.missing = true}, kept = {0};

    (void)state;
    fill(&c);
    int fd = source_cache_seal(&c, true);
    assert_int_equal(source_cache_read(&kept, fd), 0);
    (void)close(fd);
    source_cache_expire(&c);
    for (int i = 0; i < 2; i++) {
        const struct source_cache *one = i == 0 ? &c : &kept;
        assert_int_equal(one->n_entries, 1);
        assert_int_equal(one->n_bytes, 3);
        assert_string_equal(one->entries[0].uri, "-");
        assert_false(one->missing);
    }
    source_cache_done(&c);
    source_cache_done(&kept);
    assert_int_equal(source_cache_seal(&c, false), -ENODATA);
}

static void test_environment(void **state)
{
    struct source_cache c = {0}, read = {0};
    struct errmsg err = {""};
    char number[16];

    (void)state;
    assert_int_equal(source_cache_inherit(&read, &err), 0);
    fill(&c);
    (void)snprintf(number, sizeof(number), "%d", source_cache_seal(&c, false));
    assert_int_equal(setenv(SOURCE_CACHE_ENV, number, 1), 0);
    size_t fds = unit_count_fds();
    assert_int_equal(source_cache_inherit(&read, &err), 0);
    assert_int_equal(unit_count_fds(), fds - 1);
    assert_null(getenv(SOURCE_CACHE_ENV));
    assert_int_equal(read.n_entries, 3);
    source_cache_done(&c);
    source_cache_done(&read);

    static const char *const bad[] = {"", "1", "-1", "x", "99999999999", "1000", "5x"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(setenv(SOURCE_CACHE_ENV, bad[i], 1), 0);
        assert_int_equal(source_cache_inherit(&read, &err), -EBADF);
        assert_non_null(strstr(err.text, "these are no texts of ours"));
    }
    assert_int_equal(unsetenv(SOURCE_CACHE_ENV), 0);
}

/* Cut anywhere, or with any byte changed, it is read or refused, and that is all. */
static void test_broken(void **state)
{
    struct source_cache c = {0};
    char text[256];

    (void)state;
    fill(&c);
    int fd = source_cache_seal(&c, false);
    ssize_t len = pread(fd, text, sizeof(text), 0);
    assert_true(len > 0);
    (void)close(fd);
    source_cache_done(&c);
    for (ssize_t i = 0; i < 2 * len; i++) {
        fd = memfd_create("broken", MFD_CLOEXEC);
        size_t n = (size_t)(i < len ? i : len);
        if (i >= len)
            text[i - len] = (char)~text[i - len];
        assert_int_equal(write(fd, text, n), n);
        int r = source_cache_read(&c, fd);
        assert_true(r == 0 || r == -EPROTO || r == -EFBIG);
        if (i < len && i != 8)
            assert_true(r != 0 || c.n_entries < 3);
        if (i >= len)
            text[i - len] = (char)~text[i - len];
        source_cache_done(&c);
        (void)close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_expire),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
