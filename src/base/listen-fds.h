/* SPDX-License-Identifier: MIT */
#pragma once

#include <sys/types.h>

#include "base/errmsg.h"

/* The descriptors that a service manager passes, and their names, as the environment says:
 * LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES of sd_listen_fds(3). */

/* The descriptor that was passed to this process as @name; it stays whose it was. Returns it, or a
 * negative errno with @err: -ENOENT if there is none, with the names that there are; -ENOTUNIQ if
 * there are several. Does not log. */
int listen_fds_find(const char *name, struct errmsg *err) _must_check_;

/* Lets what was passed to the process @from count as passed to this one, which has its environment.
 * Does nothing if nothing was. Returns 0 or a negative errno. */
int listen_fds_inherit(pid_t from) _must_check_;
