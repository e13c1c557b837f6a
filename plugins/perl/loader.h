/* SPDX-License-Identifier: MIT */
#pragma once

#include "interp.h"

/* Loads the application of the file @source, of the option "psgi" when it is NULL. *@ret_app is
 * a code reference (SV *) with a count that is never given back. Returns 0 or a negative errno with
 * @err, after logging the whole error. */
int loader_load(const char *source, void **ret_app, struct liege_error *err);

/* The same, of which loader_load() gives what has been loaded to those who name the same source. */
int loader_load_early(const char *source, void **ret_app, struct liege_error *err);
