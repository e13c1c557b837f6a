/* SPDX-License-Identifier: MIT */
#pragma once

#include <Python.h>

#include <stdbool.h>
#include <stdint.h>

/* wsgi.file_wrapper(filelike[, block_size]): an iterable over the blocks of a file-like object. */

/* The type, ready to be called; owned by the process. Or NULL with an exception set. */
PyObject *filewrapper_type_get(void);

/* True if @object is a wrapper around a regular file, opened by open() in binary mode, whose bytes
 * from *@ret_offset on, *@ret_len of them, are what reading it to its end would give. False, with
 * no exception set, for all else: that is to be iterated. */
bool filewrapper_is_file(PyObject *object, int *ret_fd, uint64_t *ret_offset, uint64_t *ret_len);

/* Readies the type. Returns 0, or -1 with an exception set. */
int filewrapper_init(void);
