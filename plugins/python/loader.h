/* SPDX-License-Identifier: MIT */
#pragma once

#include <Python.h>

#include "python-conf.h"

/* Before anything is loaded. Returns 0, or -1 with an exception set. */
int loader_init(void);

/* Loads the application that @source names, or the one of @conf's options when it is NULL. @source
 * is the path of a file (it ends in .py or .wsgi, or starts with '/' or '.') or
 * "package.module[:callable]". Needs the GIL. Returns 0 with a new reference in *@ret_app, or a
 * negative errno with @err; the traceback of an exception is in the log then. */
int loader_load(const struct python_conf *conf, const char *source, PyObject **ret_app,
                struct liege_error *err);

/* The same, of which loader_load() gives what has been loaded to those who name the same source. */
int loader_load_early(const struct python_conf *conf, const char *source, PyObject **ret_app,
                      struct liege_error *err);

/* All that has been loaded was by another instance: loader_load() gives it to those who name it.
 * Returns 0, or -1 with an exception set. */
int loader_adopt(void);
