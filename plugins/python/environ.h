/* SPDX-License-Identifier: MIT */
#pragma once

#include <Python.h>

#include "liege/app.h"

/* Makes keys and constants. @errors and @file_wrapper go into each environ. Returns 0, or -1 with
 * an exception set. */
int environ_init(PyObject *errors, PyObject *file_wrapper);

/* The host has become another instance's: what environs say of it is said anew, and what was kept
 * of requests is dropped. Returns 0, or -1 with an exception set. */
int environ_adopt(void);

/* The environ of @req (PEP 3333) with @input as wsgi.input: a dict of its own, a new reference, or
 * NULL with an exception set. */
PyObject *environ_new(const struct liege_request *req, PyObject *input);
