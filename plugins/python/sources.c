/* SPDX-License-Identifier: MIT */

/* The files of all modules that have been imported. A module may be an object of any kind, and
 * looking for an attribute may import more: only the dictionaries of true modules are looked into.
 */

#include <Python.h>

#include "sources.h"

#include <string.h>

#include "traceback.h"

static PyObject *seen;       /* a set of the files that were reported */
static Py_ssize_t n_modules; /* when they were looked at last */

/* The folder of the standard library, borrowed, or NULL. */
static const char *library_folder(void)
{
    static char folder[4096];

    if (*folder)
        return folder;
    PyObject *os = PyImport_ImportModule("os");
    PyObject *file = os ? PyObject_GetAttrString(os, "__file__") : NULL;
    const char *path = file ? PyUnicode_AsUTF8(file) : NULL;
    const char *slash = path ? strrchr(path, '/') : NULL;
    if (slash && (size_t)(slash - path) < sizeof(folder))
        memcpy(folder, path, (size_t)(slash - path));
    Py_XDECREF(file);
    Py_XDECREF(os);
    PyErr_Clear();
    return folder;
}

static bool is_library(const char *path)
{
    const char *folder = library_folder();
    size_t len = strlen(folder);

    return len > 0 && strncmp(path, folder, len) == 0 && path[len] == '/' &&
           !strstr(path + len, "/site-packages/");
}

/* Returns -1 with an exception set. */
static int report(PyObject *module, void (*add)(void *data, const char *path), void *data)
{
    PyObject *file = PyModule_Check(module)
                         ? PyDict_GetItemString(PyModule_GetDict(module), "__file__")
                         : NULL; /* borrowed */

    if (!file || !PyUnicode_Check(file))
        return 0;
    int known = PySet_Contains(seen, file);
    if (known != 0)
        return known < 0 ? -1 : 0;
    const char *path = PyUnicode_AsUTF8(file);
    if (!path)
        PyErr_Clear(); /* no file whose name is no text is edited */
    else if (!is_library(path))
        add(data, path);
    return PySet_Add(seen, file);
}

void sources_report(void (*add)(void *data, const char *path), void *data)
{
    PyObject *modules = PyImport_GetModuleDict(); /* borrowed */
    PyObject *list = NULL;

    if (PyDict_Size(modules) == n_modules)
        return;
    n_modules = PyDict_Size(modules);
    if (!seen)
        seen = PySet_New(NULL);
    list = seen ? PyDict_Values(modules) : NULL;
    for (Py_ssize_t i = 0; list && i < PyList_GET_SIZE(list); i++)
        if (report(PyList_GET_ITEM(list, i), add, data) < 0)
            Py_CLEAR(list);
    if (!list)
        traceback_log("changes of some modules will not be seen");
    Py_XDECREF(list);
}

static void ignore(void *data, const char *path)
{
    (void)data;
    (void)path;
}

void sources_skip(void)
{
    sources_report(ignore, NULL);
}
