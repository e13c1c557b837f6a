/* SPDX-License-Identifier: MIT */
/* What a process still has when it has given its memory back. */
#include "base/memmap.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

#define SIZE ((size_t)1 << 20)

static int variable = 3, zeroed;

static void *map(void)
{
    void *m = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_true(m != MAP_FAILED);
    memset(m, 'x', SIZE);
    return m;
}

static bool is_mapped(const void *address)
{
    unsigned char in_core = 0;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);

    return mincore((void *)((uintptr_t)address / page * page), 1, &in_core) == 0;
}

struct areas {
    const char *kept, *dropped, *heap;
};

static void drop(void *data)
{
    struct areas a = *(struct areas *)data;
    struct pollfd p = {.fd = -1};

    UNIT_CHECK(memmap_drop_all_except((const void *[]){a.kept + 5}, 1) == 0);
    UNIT_CHECK(a.kept[SIZE - 1] == 'x');
    UNIT_CHECK(variable == 3 && zeroed == 0);
    UNIT_CHECK(poll(&p, 1, 0) == 0 && clock_now_us() > 0);
#ifndef __SANITIZE_ADDRESS__
    UNIT_CHECK(!is_mapped(a.dropped));
    UNIT_CHECK(!is_mapped(a.heap));
#endif
    _exit(EXIT_SUCCESS);
}

static void test_drop(void **state)
{
    struct areas a = {.kept = map(), .dropped = map(), .heap = malloc(SIZE / 8)};

    (void)state;
    assert_true(is_mapped(a.kept) && is_mapped(a.dropped) && is_mapped(a.heap));
    assert_int_equal(unit_run_child(drop, &a), EXIT_SUCCESS);
    assert_true(is_mapped(a.kept) && is_mapped(a.dropped));
    free((void *)a.heap);
    (void)munmap((void *)a.kept, SIZE);
    (void)munmap((void *)a.dropped, SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
