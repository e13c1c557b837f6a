/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "liege/option.h"

/* What the Emperor itself is told; filled from the rows in emperor-options.c. */
struct emperor_conf {
    struct liege_list emperor;    /* a monitor each: dir://, glob://, a directory, a pattern */
    struct liege_list extensions; /* further endings of configuration names: ".conf" */
    bool nofollow;                /* a symbolic link is the configuration, not what it points to */
    uint64_t freq_us;             /* between two looks at what cannot be watched */

    char *pidfile;
    char *procname;
    char *stats; /* address */
    char *uid, *gid;
    char *binary_path; /* of vassals, instead of liege-instance */

    uint64_t curse_tolerance_us; /* from asking a vassal to stop until SIGKILL */
    uint64_t throttle_us;        /* by which a back-off grows with each further early death */
    uint64_t max_throttle_us;    /* up to this */
    bool graceful_shutdown;      /* ask vassals to finish their requests when they are stopped */

    struct liege_list vassal_set; /* each becomes --set X of every vassal, and so on */
    struct liege_list include, include_before;
    struct liege_list inherit, inherit_before;
};

extern const struct liege_option emperor_options[];
extern const size_t emperor_options_count;
