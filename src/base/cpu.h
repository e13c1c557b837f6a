/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* How many processors this process can keep busy: those that it may run on (sched_getaffinity(2)),
 * or fewer if its control group, or one above that, has a quota of processor time (cpu.max of
 * version 2, cpu.cfs_quota_us of version 1; kernel documentation, admin-guide/cgroup-v2 and
 * scheduler/sched-bwc).
 */
struct cpu_limits {
    unsigned n;           /* the smaller of the two, the quota rounded up; at least 1 */
    unsigned n_affinity;  /* may run on */
    uint64_t quota_milli; /* thousandths of a processor; 0: no quota */
};

/* @root is put before the names of files in /sys and /proc: "" but in tests. Never fails: what
 * cannot be read is no limit. */
void cpu_limits_get(const char *root, struct cpu_limits *ret);

/* "2 processors", or "1 processor by the quota of its control group (0.500)". Returns @text. */
const char *cpu_limits_describe(const struct cpu_limits *l, char *text, size_t size);
