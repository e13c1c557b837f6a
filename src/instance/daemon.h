/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/errmsg.h"

/* Goes to the background (daemonize): the process that was started waits until the instance serves
 * and then ends, with the instance's own exit code if that never does. Returns in the new process:
 * a session of its own, /dev/null for standard input, @file for output. Returns a descriptor to
 * which a byte is to be written when the instance serves, or a negative errno with @err. */
int daemon_begin(const char *file, struct errmsg *err) _must_check_;

/* The instance serves: whoever waits for it may go. */
void daemon_ready(int fd);
