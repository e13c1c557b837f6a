/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/errmsg.h"
#include "emperor/emperor-conf.h"

struct emperor_start {
    const struct emperor_conf *conf;
    const char *binary;         /* absolute path of the program that vassals run */
    const char *self;           /* absolute path of this program, as it was when it was started */
    char *const *argv;          /* of this program */
    const char *const *environ; /* that vassals get */
};

/* Runs the Emperor until it is told to stop and all its vassals have ended. Returns the exit code
 * 0, or a negative errno with @err when it could not begin. Logs everything that happens. */
int emperor_run(const struct emperor_start *start, struct errmsg *err) _must_check_;

/* Says whether emperor_run() would refuse @conf, as far as that can be known without running it.
 * Returns 0 or a negative errno with @err. */
int emperor_check(const struct emperor_conf *conf, struct errmsg *err) _must_check_;
