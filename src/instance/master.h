/* SPDX-License-Identifier: MIT */
#pragma once

/* The master: the arbiter of an instance. It owns the sockets, starts and ends generations of
 * workers, and obeys signals and its Emperor. It never touches a client and runs no interpreter. */

#include "instance/registry.h"
#include "ipc/link.h"

struct warm;

struct master_start {
    struct registry_input input; /* to read the configuration again */
    struct registry *registry;   /* taken over */
    struct link link;            /* taken over */
    pid_t emperor;               /* who must be our parent; 0: nobody */
    const char *program;         /* that is run for SIGUSR2 */
    const struct warm *warm;     /* what it has from a base vassal; NULL: nothing */
    int ready_fd;                /* for daemon_ready(); -1 */
    int given_fd;                /* a listening socket that was descriptor 0; -1. Taken over */
    int older_fd; /* to the master that this one is started beside (takeover.h); -1 */
};

/* Runs the instance to its end. Returns the process's exit code: 0 after an ordered end, 1 for a
 * failed set-up, INSTANCE_EXIT_BOOT when the first workers cannot be started: the application
 * cannot be loaded, say. */
int master_run(const struct master_start *start);
