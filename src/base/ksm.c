/* SPDX-License-Identifier: MIT */
#include "base/ksm.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/maps.h"

static int merge(const struct mapping *m)
{
    return syscall(SYS_madvise, m->start, m->end - m->start, MADV_MERGEABLE) < 0 ? -errno : 0;
}

int ksm_merge_memory(void)
{
    struct maps maps;
    struct mapping m;
    int next = 0;

    int r = maps_open(&maps);
    if (r < 0)
        return r;
    while ((next = maps_next(&maps, &m)) > 0) {
        int merged = mapping_is_own(&m) ? merge(&m) : 0;
        r = r < 0 ? r : merged;
    }
    maps_close(&maps);
    return r < 0 ? r : next;
}

bool ksm_is_on(void)
{
    _cleanup_free_ char *text = NULL;
    size_t len = 0;

    return file_read_all("/sys/kernel/mm/ksm/run", 16, &text, &len) == 0 && text[0] == '1';
}
