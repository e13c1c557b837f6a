/* SPDX-License-Identifier: MIT */
/* What a process learns of its own mappings. */
#include "base/maps.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

#define SIZE ((size_t)64 << 10)

static struct mapping find(const void *address)
{
    struct mapping m, found = {.start = 0};
    struct maps maps;
    int r = maps_open(&maps);

    assert_int_equal(r, 0);
    while ((r = maps_next(&maps, &m)) > 0)
        if (m.start <= (uintptr_t)address && (uintptr_t)address < m.end)
            found = m;
    assert_int_equal(r, 0);
    maps_close(&maps);
    assert_int_not_equal(found.start, 0);
    return found;
}

static void *map(int protection, int flags, int fd, off_t offset)
{
    void *m = mmap(NULL, SIZE, protection, flags, fd, offset);

    assert_ptr_not_equal(m, MAP_FAILED);
    return m;
}

static void test_memory(void **state)
{
    int on_stack = 0;
    char *own = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *shared = map(PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *fixed = map(PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct mapping m = find(own + SIZE - 1);

    (void)state;
    assert_true(m.end >= (uintptr_t)own + SIZE);
    assert_true(m.writable && !m.shared && m.inode == 0);
    assert_true(mapping_is_own(&m) && !mapping_is_heap(&m));
    m = find(shared);
    assert_true(m.writable && m.shared && !mapping_is_own(&m));
    m = find(fixed);
    assert_true(!m.writable && !mapping_is_own(&m));
    m = find(&on_stack);
    assert_true(strncmp(m.name, "[stack]", 7) == 0 && !mapping_is_own(&m));
    assert_int_equal(munmap(own, SIZE) | munmap(shared, SIZE) | munmap(fixed, SIZE), 0);
}

static void test_file(void **state)
{
    const int fd = memfd_create("some", MFD_CLOEXEC);
    struct stat st;

    (void)state;
    assert_int_equal(ftruncate(fd, 4 * SIZE), 0);
    assert_int_equal(fstat(fd, &st), 0);
    char *part = map(PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 2 * SIZE);
    struct mapping m = find(part);
    assert_int_equal(m.start, (uintptr_t)part);
    assert_int_equal(m.end, (uintptr_t)part + SIZE);
    assert_int_equal(m.offset, 2 * SIZE);
    assert_int_equal(m.inode, st.st_ino);
    assert_int_equal(m.device, st.st_dev);
    assert_string_equal(m.name, "/memfd:");
    assert_true(mapping_is_own(&m));
    assert_int_equal(munmap(part, SIZE) | close(fd), 0);
}

#ifndef __SANITIZE_ADDRESS__
static void test_heap(void **state)
{
    void *piece = malloc(100);
    struct mapping m = find(piece);

    (void)state;
    assert_true(mapping_is_heap(&m) && mapping_is_own(&m));
    free(piece);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_file),
#ifndef __SANITIZE_ADDRESS__
        cmocka_unit_test(test_heap),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
