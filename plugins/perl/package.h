/* SPDX-License-Identifier: MIT */
#pragma once

#include "interp.h"

/* Defines the functions that Perl code finds as liege::NAME and uwsgi::NAME, %uwsgi::opt, and the
 * exit() that applications get. */
void package_define(pTHX);

/* Makes %uwsgi::opt what the host's settings are. */
void package_set_options(pTHX);

/* Runs the code in @hooks, which was given to liege::@name(), in order. Returns 0 or a negative
 * errno with @err, after logging the whole error. */
int package_run_hooks(pTHX_ AV *hooks, const char *name, struct liege_error *err);
