/* SPDX-License-Identifier: MIT */

/* Runs audit.py, which is part of this file, and calls a function of it. */

#include <Python.h>

#include "audit.h"

#include <stdio.h>

#include "audit-source.h"
#include "traceback.h"

/* The globals of audit.py, a new reference, or NULL with an exception set. */
static PyObject *run_source(void)
{
    PyObject *globals = PyDict_New();
    PyObject *result = NULL;

    if (globals && PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) == 0)
        result = PyRun_String(audit_source, Py_file_input, globals, globals);
    if (!result)
        Py_CLEAR(globals);
    Py_XDECREF(result);
    return globals;
}

static bool describe(const char *function, int number, char *text, size_t size)
{
    PyObject *globals = run_source();
    PyObject *f = globals ? PyDict_GetItemString(globals, function) : NULL; /* borrowed */
    PyObject *result = f ? PyObject_CallFunction(f, "i", number) : NULL;
    PyObject *bytes = result ? PyUnicode_AsEncodedString(result, "utf-8", "replace") : NULL;
    const char *found = bytes ? PyBytes_AsString(bytes) : NULL;

    if (!found)
        traceback_log("the threads and descriptors of the application cannot be looked at");
    else
        (void)snprintf(text, size, "%s", found);
    bool known = found && *found != '\0';
    Py_XDECREF(bytes);
    Py_XDECREF(result);
    Py_XDECREF(globals);
    return known;
}

bool audit_describe_thread(pid_t tid, char *text, size_t size)
{
    return describe("describe_thread", tid, text, size);
}

bool audit_describe_fd(int fd, char *text, size_t size)
{
    return describe("describe_descriptor", fd, text, size);
}
