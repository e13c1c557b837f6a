/* SPDX-License-Identifier: MIT */
#include "base/heap-pages.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/strv.h"

#define LARGE ((uintptr_t)2 << 20) /* where they are larger, the kernel says no */

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

/* Memory of its own that can be written to, is of no file, and is no stack: "start-end perms offset
 * device inode    name" (proc_pid_maps(5)). */
static bool is_heap(const char *line, uintptr_t *ret_start, uintptr_t *ret_end)
{
    char *at = NULL;

    *ret_start = strtoull(line, &at, 16);
    *ret_end = strtoull(at + (*at == '-'), &at, 16);
    if (strncmp(at, " rw", 3) != 0 || at[4] != 'p')
        return false;
    for (int word = 0; word < 3; word++) {
        at += strspn(at, " ");
        at += strcspn(at, " ");
    }
    uint64_t inode = strtoull(at, &at, 10);
    at += strspn(at, " ");
    return inode == 0 && (*at == '\n' || str_starts(at, "[heap]"));
}

/* Calls @advise for all of it. Returns 0, the first negative errno of that, or one of reading. */
static int advise_all(int (*advise)(uintptr_t start, uintptr_t end))
{
    FILE *maps = fopen("/proc/self/maps", "re");
    uintptr_t start = 0, end = 0;
    char line[512];
    int r = maps ? 0 : -errno;

    while (maps && fgets(line, sizeof(line), maps)) {
        int advised = is_heap(line, &start, &end) ? advise(start, end) : 0;
        r = r < 0 ? r : advised;
    }
    if (maps)
        (void)fclose(maps);
    return r;
}

static int collapse(uintptr_t start, uintptr_t end)
{
    start = (start + LARGE - 1) & ~(LARGE - 1);
    end &= ~(LARGE - 1);
    if (start < end) /* it may fail: small ones do as well */
        (void)syscall(SYS_madvise, start, end - start, MADV_COLLAPSE);
    return 0;
}

void heap_pages_collapse(void)
{
    (void)advise_all(collapse);
}

static int merge(uintptr_t start, uintptr_t end)
{
    return syscall(SYS_madvise, start, end - start, MADV_MERGEABLE) < 0 ? -errno : 0;
}

int heap_pages_merge(void)
{
    return advise_all(merge);
}

bool heap_pages_are_merged(void)
{
    _cleanup_free_ char *text = NULL;
    size_t len = 0;

    return file_read_all("/sys/kernel/mm/ksm/run", 16, &text, &len) == 0 && text[0] == '1';
}
