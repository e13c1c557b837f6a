/* SPDX-License-Identifier: MIT */

/* The options that act before anything else of Python. The host calls for each in the order of the
 * configuration, so that a folder is there for what is imported after it. */

#include <Python.h>

#include "early.h"

#include <errno.h>
#include <string.h>

#include "host.h"
#include "interp-config.h"
#include "interp.h"
#include "loader.h"
#include "traceback.h"

static int import(const char *name, struct liege_error *err)
{
    PyObject *module = NULL;

    interp_unsettle();
    module = PyImport_ImportModule(name);
    if (!module)
        return traceback_report("a module that is to be imported early cannot be", err);
    Py_DECREF(module);
    return 0;
}

static int add_path(const char *directory, struct liege_error *err)
{
    if (interp_add_path(directory) == 0)
        return 0;
    PyErr_Clear();
    return host_error(err, -ENOMEM, "early-pythonpath %s: sys.path cannot be set", directory);
}

int early_act(const struct python_conf *conf, const char *option, const char *value,
              PyObject **ret_app, struct liege_error *err)
{
    if (strcmp(option, "early-pythonpath") == 0)
        return add_path(value, err);
    if (strcmp(option, "early-pyimport") == 0)
        return import(value, err);
    if (strcmp(option, "early-wsgi") == 0)
        return loader_load_early(conf, value, ret_app, err);
    return 0; /* early-python: it has been started */
}
