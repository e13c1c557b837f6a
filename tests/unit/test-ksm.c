/* SPDX-License-Identifier: MIT */
#include "base/ksm.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "unit.h"

#define SIZE ((size_t)8 << 20)

static char *memory;

static int set_up(void **state)
{
    (void)state;
    memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    for (size_t i = 0; i < SIZE; i++)
        memory[i] = (char)(i >> 12);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return munmap(memory, SIZE);
}

/* Whether the kernel has noted "mg" (proc_pid_smaps(5)) for the page at @address. */
static bool is_mergeable(const void *address)
{
    FILE *smaps = fopen("/proc/self/smaps", "re");
    char line[512];
    bool here = false, found = false;

    assert_non_null(smaps);
    while (fgets(line, sizeof(line), smaps)) {
        unsigned long start = 0, end = 0;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            here = (uintptr_t)address >= start && (uintptr_t)address < end;
        else if (here && strncmp(line, "VmFlags:", 8) == 0)
            found = strstr(line, " mg") != NULL;
    }
    (void)fclose(smaps);
    return found;
}

static void assert_content(void)
{
    for (size_t i = 0; i < SIZE; i++)
        assert_int_equal(memory[i], (char)(i >> 12));
}

static void what_was_written_may_be_merged(void **state)
{
    char on_stack = 0;

    (void)state;
    assert_false(is_mergeable(memory));
    int r = ksm_merge_memory();
    if (r == -EINVAL)
        skip(); /* this kernel does not know it */
    assert_int_equal(r, 0);
    assert_true(is_mergeable(memory));
    assert_true(is_mergeable(memory + SIZE - 1));
    assert_false(is_mergeable(&on_stack));
    assert_content();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_written_may_be_merged, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
