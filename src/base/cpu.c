/* SPDX-License-Identifier: MIT */
/* Reads what limits this process's use of processors. A container that does not see its own control
 * group under the name that /proc/self/cgroup says sees it as the root of the mount: every ancestor
 * is looked at, up to the root. */
#include "base/cpu.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/macro.h"

#define FILE_MAX_BYTES ((size_t)64 * 1024)
#define MAX_CPUS       8192

static unsigned count_affinity(void)
{
    cpu_set_t *set = CPU_ALLOC(MAX_CPUS);
    size_t size = CPU_ALLOC_SIZE(MAX_CPUS);
    int n = 0;

    if (set && sched_getaffinity(0, size, set) == 0)
        n = CPU_COUNT_S(size, set);
    CPU_FREE(set);
    return n > 0 ? (unsigned)n : 1;
}

/* The text of a small file, or NULL. */
static char *read_file(const char *root, const char *folder, const char *path, size_t path_len,
                       const char *name)
{
    char file[4096], *text = NULL;
    size_t len = 0;

    int n = snprintf(file, sizeof(file), "%s%s%.*s/%s", root, folder, (int)path_len, path, name);
    if (n < 0 || (size_t)n >= sizeof(file) || file_read_all(file, FILE_MAX_BYTES, &text, &len) < 0)
        return NULL;
    return text;
}

static void limit(struct cpu_limits *l, int64_t quota, int64_t period)
{
    if (quota <= 0 || period <= 0 || quota > INT64_MAX / 1000)
        return;
    uint64_t milli = MAX((uint64_t)(quota * 1000 / period), 1ULL);
    if (l->quota_milli == 0 || milli < l->quota_milli)
        l->quota_milli = milli;
}

/* "max 100000" or "50000 100000". */
static void look_v2(struct cpu_limits *l, const char *root, const char *folder, const char *path,
                    size_t len)
{
    _cleanup_free_ char *text = read_file(root, folder, path, len, "cpu.max");
    char *end = NULL;

    if (!text || strncmp(text, "max", 3) == 0)
        return;
    int64_t quota = strtoll(text, &end, 10);
    limit(l, quota, strtoll(end, NULL, 10));
}

/* -1 means none. */
static void look_v1(struct cpu_limits *l, const char *root, const char *folder, const char *path,
                    size_t len)
{
    _cleanup_free_ char *quota = read_file(root, folder, path, len, "cpu.cfs_quota_us");
    _cleanup_free_ char *period = read_file(root, folder, path, len, "cpu.cfs_period_us");

    if (quota && period)
        limit(l, strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

typedef void look_fn(struct cpu_limits *l, const char *root, const char *folder, const char *path,
                     size_t len);

/* The group @path and all above it. */
static void look_upwards(struct cpu_limits *l, look_fn *look, const char *root, const char *folder,
                         const char *path)
{
    size_t len = strlen(path);

    for (;;) {
        while (len > 0 && path[len - 1] == '/')
            len--;
        look(l, root, folder, path, len);
        if (len == 0)
            return;
        while (len > 0 && path[len - 1] != '/')
            len--;
    }
}

static bool has_word(const char *list, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, len) == 0 && (at[len] == ',' || at[len] == '\0'))
            return true;
    }
    return false;
}

/* A line of /proc/self/cgroup: "ID:CONTROLLERS:PATH"; of version 2 "0::PATH" (cgroups(7)). */
static void look_at_line(struct cpu_limits *l, const char *root, char *line)
{
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;

    if (!path)
        return;
    controllers++;
    *path++ = '\0';
    if (*controllers == '\0') {
        look_upwards(l, look_v2, root, "/sys/fs/cgroup", path);
        look_upwards(l, look_v2, root, "/sys/fs/cgroup/unified", path);
    } else if (has_word(controllers, "cpu")) {
        look_upwards(l, look_v1, root, "/sys/fs/cgroup/cpu", path);
    }
}

void cpu_limits_get(const char *root, struct cpu_limits *ret)
{
    struct cpu_limits l = {.n_affinity = count_affinity()};
    _cleanup_free_ char *groups = read_file(root, "/proc/self", "", 0, "cgroup");
    char *rest = NULL;

    for (char *line = groups ? strtok_r(groups, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest))
        look_at_line(&l, root, line);
    l.n = l.n_affinity;
    if (l.quota_milli > 0)
        l.n = (unsigned)MIN((uint64_t)l.n, (l.quota_milli + 999) / 1000);
    *ret = l;
}

const char *cpu_limits_describe(const struct cpu_limits *l, char *text, size_t size)
{
    const char *plural = l->n == 1 ? "" : "s";

    if (l->quota_milli > 0 && l->n < l->n_affinity)
        (void)snprintf(text, size,
                       "%u processor%s by the quota of its control group (%" PRIu64 ".%03u)", l->n,
                       plural, l->quota_milli / 1000, (unsigned)(l->quota_milli % 1000));
    else
        (void)snprintf(text, size, "%u processor%s", l->n, plural);
    return text;
}
