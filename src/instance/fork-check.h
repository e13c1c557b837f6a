/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "app/app.h"
#include "base/errmsg.h"
#include "instance/instance-conf.h"

/* What an application has when it is loaded that does not survive a fork, or is shared by all
 * workers then: threads, connections, pipes, and what waits for events (epoll, inotify, io_uring).
 */

/* The descriptors of the process before the application is loaded. */
struct fork_baseline {
    int *fds;
    size_t n_fds;
};

/* Notes them. Returns 0 or a negative errno. To be released with fork_check_done(). */
int fork_check_begin(struct fork_baseline *before) _must_check_;
/* Counts @fd among them. */
int fork_check_add(struct fork_baseline *before, int fd) _must_check_;
void fork_check_done(struct fork_baseline *before);

/* Logs what is there now and was not @before. Returns 0, or -EBUSY with @err if @mode is to refuse
 * that, or another negative errno. */
int fork_check_end(const struct fork_baseline *before, enum fork_check mode,
                   const struct apps *apps, struct errmsg *err) _must_check_;
