/* SPDX-License-Identifier: MIT */
#pragma once

#include "python-conf.h"

/* Initialises the interpreter with the configuration that @conf asks for. Returns 0, or a negative
 * errno with @err. */
int interp_initialize(const struct python_conf *conf, struct liege_error *err);

/* Puts the working directory at the front of sys.path, and `pythonpath` before it in the order it
 * was given. Needs the GIL. Returns 0, or -1 with or without an exception set. */
int interp_set_path(const struct python_conf *conf);

/* Puts what the glob @directory gives, or itself, behind `pythonpath` and what this was called for
 * before. Needs the GIL. Returns 0, or -1 with or without an exception set. */
int interp_add_path(const char *directory);

/* Makes sys.argv what @conf says, in the same list. Needs the GIL. Returns 0, or -1 with or without
 * an exception set. */
int interp_replace_argv(const struct python_conf *conf);

/* Returns 0 if all of @conf that only a start can set is as it was started with or not set, else
 * -EBUSY, or what a start would have failed with, with @err. */
int interp_check_same(const struct python_conf *conf, struct liege_error *err);
