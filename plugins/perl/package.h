/* SPDX-License-Identifier: MIT */
#pragma once

#include "interp.h"

/* Defines the functions that Perl code finds as liege::NAME and uwsgi::NAME, %uwsgi::opt, and the
 * exit() that applications get. */
void package_define(pTHX);

/* Runs what was given to liege::postfork(), in order. Returns 0 or a negative errno with @err,
 * after logging the whole error. */
int package_run_post_fork(pTHX_ struct liege_error *err);
