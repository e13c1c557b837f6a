/* SPDX-License-Identifier: MIT */
#pragma once

#include <Python.h>

/* wsgi.errors: a file-like object whose lines go to the log of the instance. */

/* The object, a new reference, or NULL with an exception set. There is one for all requests. */
PyObject *errors_new(void);

/* Logs what stands without a newline; at the end of a request. */
void errors_flush(void);
