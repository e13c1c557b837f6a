/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/macro.h"

/* How much memory a process has, in bytes; what cannot be read is 0. */

/* Address space and resident pages: /proc/PID/statm (proc(5)). Cheap. */
struct meminfo {
    uint64_t virtual_bytes, resident_bytes;
};
struct meminfo meminfo_get(pid_t pid);

/* Pages that no other process has (USS), and with them its part of those that it shares (PSS):
 * /proc/PID/smaps_rollup (proc_pid_smaps(5)). Milliseconds of a large process. */
struct meminfo_shares {
    uint64_t pss_bytes, uss_bytes;
};
struct meminfo_shares meminfo_get_shares(pid_t pid);
