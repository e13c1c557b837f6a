/* SPDX-License-Identifier: MIT */
#pragma once

#include "python-conf.h"

/* Initialises the interpreter with the configuration that @conf asks for. Returns 0, or a negative
 * errno with @err. */
int interp_initialize(const struct python_conf *conf, struct liege_error *err);

/* Puts the working directory at the front of sys.path, and `pythonpath` before it in the order it
 * was given. Needs the GIL. Returns 0, or a negative errno with @err. */
int interp_set_path(const struct python_conf *conf, struct liege_error *err);
