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
    bool no_include_watch;        /* a change of an included file is nobody's business */
    bool magic_exec; /* a configuration that may be executed is a program that says it */
    struct liege_list collect_attr;  /* keys of section [emperor] that are looked at */
    char *chdir_attr, *wrapper_attr; /* which of them say directory and program of the vassal */
    uint64_t freq_us;                /* between two looks at what cannot be watched */

    char *pidfile;
    char *procname;
    char *stats;     /* address */
    char *control;   /* path of a socket */
    bool log_direct; /* vassals write to the Emperor's standard output and error themselves */
    char *uid, *gid;
    char *binary_path; /* of vassals, instead of liege-instance */
    struct liege_list wrapper_override,
        wrapper_fallback; /* programs to be tried before and after */

    char *fork_server;            /* address of the base that vassals are forked from */
    char *fork_server_attr;       /* the attribute that says it for one of them */
    struct liege_list fork_bases; /* names of vassals that are not forked from any */

    char *on_demand_extension; /* a file called as the configuration, with this behind it */
    char *on_demand_directory; /* sockets lie here */
    char *on_demand_exec;      /* this command says them */

    uint64_t curse_tolerance_us; /* from asking a vassal to stop until SIGKILL */
    uint64_t throttle_us;        /* the step of the throttle, and of the back-off of a vassal that
                                    dies early */
    uint64_t max_throttle_us;    /* both end here */
    bool throttle_new;           /* the throttle is for vassals that are new as well */
    bool no_blacklist;           /* who dies early does not wait for longer than others */
    uint64_t spawn_parallel;     /* vassals that start at a time; 0: twice the CPUs */
    uint64_t required_heartbeat_us; /* between two of a vassal that has begun with them */
    uint64_t start_timeout_us;      /* from the start until ready; 0: for ever */
    uint64_t broodlord;             /* vassals that may reinforce others, all together */
    bool graceful_shutdown;         /* ask vassals to finish their requests when they are stopped */

    struct liege_list hooks_emperor_start; /* base/hook.h, as are the others */
    struct liege_list hooks_before, hooks_started, hooks_asleep, hooks_changed;
    char *start_hook, *stop_hook; /* commands that get the name of the vassal */

    struct liege_list vassal_set; /* each becomes --set X of every vassal, and so on */
    struct liege_list include, include_before;
    struct liege_list inherit, inherit_before;
};

extern const struct liege_option emperor_options[];
extern const size_t emperor_options_count;
