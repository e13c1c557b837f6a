/* SPDX-License-Identifier: MIT */
#pragma once

#include <Python.h>

#include "python-conf.h"

/* Loads the application that @source names, or the one of @conf's options when it is NULL. @source
 * is the path of a file (it ends in .py or .wsgi, or starts with '/' or '.') or
 * "package.module[:callable]". Needs the GIL. Returns 0 with a new reference in *@ret_app, or a
 * negative errno with @err; the traceback of an exception is in the log then. */
int loader_load(const struct python_conf *conf, const char *source, PyObject **ret_app,
                struct liege_error *err);
