/* SPDX-License-Identifier: MIT */
#pragma once

#include "conf/source-cache.h"
#include "instance/adopted.h"

/* What an instance begins with, however it came to be. */
struct instance_start {
    const char *const *argv, *const *environ; /* NULL-terminated, for as long as it runs */
    const char *program;                      /* that is run for SIGUSR2 */
    struct source_cache *sources;
    int older_fd;            /* to the master that this one is started beside (takeover.h); -1 */
    int given_fd;            /* a listening socket that was descriptor 0; -1 */
    const struct warm *warm; /* what a base vassal has loaded; NULL: nothing */
};

/* Reads the configuration and does what it says: runs a master to its end, answers a question, or
 * becomes an Emperor. Returns the process's exit code. */
int instance_start(const struct instance_start *start);
