/* SPDX-License-Identifier: MIT */
#include "base/meminfo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"

static char *read_proc(pid_t pid, const char *name)
{
    char path[64], *text = NULL;
    size_t len = 0;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    return file_read_all(path, 16384, &text, &len) < 0 ? NULL : text;
}

struct meminfo meminfo_get(pid_t pid)
{
    _cleanup_free_ char *text = read_proc(pid, "statm"); /* pages: "size resident ..." */
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    char *end = NULL;

    if (!text)
        return (struct meminfo){0};
    uint64_t size = strtoull(text, &end, 10);
    return (struct meminfo){size * page, strtoull(end, NULL, 10) * page};
}

/* "Pss:       1234 kB" */
static uint64_t field_of(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    return at ? strtoull(at + strlen(name), NULL, 10) * 1024 : 0;
}

struct meminfo_shares meminfo_get_shares(pid_t pid)
{
    _cleanup_free_ char *text = read_proc(pid, "smaps_rollup");

    if (!text)
        return (struct meminfo_shares){0};
    return (struct meminfo_shares){
        .pss_bytes = field_of(text, "\nPss:"),
        .uss_bytes = field_of(text, "\nPrivate_Clean:") + field_of(text, "\nPrivate_Dirty:"),
    };
}
