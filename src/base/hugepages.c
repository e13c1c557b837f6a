/* SPDX-License-Identifier: MIT */
#include "base/hugepages.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#define LARGE ((uintptr_t)2 << 20) /* where they are larger, the kernel says no */

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif

/* Memory of its own that can be written to, is of no file, and is no stack. */
static int is_heap(const char *line, uintptr_t *ret_start, uintptr_t *ret_end)
{
    char perms[5] = "", name[32] = "";
    uint64_t inode = 0;
    int n = sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %*s %*s %" SCNu64 " %31s", ret_start,
                   ret_end, perms, &inode, name);

    return n >= 4 && perms[0] == 'r' && perms[1] == 'w' && perms[3] == 'p' && inode == 0 &&
           (n == 4 || (name[0] == '[' && name[1] == 'h'));
}

void hugepages_collapse(void)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    uintptr_t start = 0, end = 0;
    char line[512];

    while (maps && fgets(line, sizeof(line), maps)) {
        if (!is_heap(line, &start, &end))
            continue;
        start = (start + LARGE - 1) & ~(LARGE - 1);
        end &= ~(LARGE - 1);
        if (start < end)
            (void)madvise((void *)start, end - start, MADV_COLLAPSE); /* small ones do as well */
    }
    if (maps)
        (void)fclose(maps);
}
