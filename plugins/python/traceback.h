/* SPDX-License-Identifier: MIT */
#pragma once

#include <Python.h>

#include "liege/plugin.h"

/* Exceptions as an operator reads them. All calls hold the GIL. */

/* Has what the others need at least, so that an exception can be printed when files are gone or
 * descriptors have run out. Returns 0, or -1 with an exception set. */
int traceback_init(void);

/* Takes the exception that is set: a new reference to its instance, which holds the traceback. */
PyObject *traceback_take_exception(void);

/* Clears the exception that is set and logs it as Python prints it, after the line @title. */
void traceback_log(const char *title);

/* Clears the exception that is set, logs it after the line @title, and describes it in @err:
 * "FILE:LINE: Type: message". Always returns -ECANCELED. */
int traceback_report(const char *title, struct liege_error *err);
