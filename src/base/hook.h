/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/errmsg.h"
#include "base/macro.h"

/* What a configuration has done when something happens (hook-X = ACTION:ARGUMENT), by uWSGI's
 * names. Actions may wait, for a disk or a command: they are for processes that may, a child of a
 * master (loop/errand.h), or one that is about to be another program. */

/* Checks an option's value. Returns 0, or -EINVAL with @reason. */
int hook_check(const char *hook, char *reason, size_t size) _must_check_;

/* The hook for the log: of one that begins with ! the argument is left out. Returns @text. */
const char *hook_show(const char *hook, char *text, size_t size);

/* Does it. Returns 0; 1 with @err if it failed and that does not matter (safeexec); or a negative
 * errno with @err. exit:CODE does not return. Does not log, but for print and log. */
int hook_do(const char *hook, struct errmsg *err) _must_check_;
