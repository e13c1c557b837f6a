/* SPDX-License-Identifier: MIT */
#pragma once

#include <Python.h>

#include "liege/app.h"

/* wsgi.input: a file-like object over the body of a request. */

/* A new reference, or NULL with an exception set. */
PyObject *input_open(struct liege_request *req);

/* Takes back what input_open() gave. If the application has kept it, reading raises an exception
 * from now on. */
void input_close(PyObject *input);

/* Readies the type. Returns 0, or -1 with an exception set. */
int input_init(void);
