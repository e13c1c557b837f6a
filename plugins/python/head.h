/* SPDX-License-Identifier: MIT */
#pragma once

#include <Python.h>

#include "response.h"

/* Checks @status ("200 OK") and @headers (a list of pairs of str) as PEP 3333 demands and gives
 * them to the host, in place of a head that it may have already. Returns 0, or -1 with an exception
 * set; the host then still has the former head. */
int head_start(struct response *r, PyObject *status, PyObject *headers);
