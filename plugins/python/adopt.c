/* SPDX-License-Identifier: MIT */

/* Taking over the interpreter of a base vassal: after the fork, before anything of this instance is
 * loaded, all that the base's configuration had said to Python is said anew. Objects that code may
 * have taken hold of (os.environ, sys.argv, liege.opt) stay the same and get other contents. What
 * belongs to the applications in memory stays: modules, what they registered, and the folders of
 * sys.path, behind this instance's own. Called by plugin.c. */

#include <Python.h>

#include "adopt.h"

#include <string.h>
#include <unistd.h>

#include "api.h"
#include "environ.h"
#include "interp-config.h"
#include "loader.h"
#include "sources.h"
#include "traceback.h"

/* The first variable of environ(7) with the name that @text, "NAME" or "NAME=VALUE", begins with;
 * as for getenv(3), later ones do not count. */
static const char *find_variable(const char *text)
{
    size_t len = strcspn(text, "=");

    for (char **v = environ; v && *v; v++)
        if (strncmp(*v, text, len) == 0 && (*v)[len] == '=')
            return *v;
    return NULL;
}

/* Sets the variable "NAME=VALUE" in @dict, unless it is so already. */
static int set_variable(PyObject *dict, const char *text)
{
    const char *equals = strchr(text, '=');
    PyObject *key = PyBytes_FromStringAndSize(text, equals - text), *value = NULL;
    int r = key ? 0 : -1;

    if (key)
        value = PyDict_GetItemWithError(dict, key); /* borrowed */
    if (r == 0 &&
        (!value || !PyBytes_Check(value) || strcmp(PyBytes_AS_STRING(value), equals + 1) != 0)) {
        value = PyBytes_FromString(equals + 1);
        r = value ? PyDict_SetItem(dict, key, value) : -1;
        Py_XDECREF(value);
    }
    Py_XDECREF(key);
    return r;
}

/* The keys of @dict that are in no environ(7), a list. */
static PyObject *list_gone(PyObject *dict)
{
    PyObject *gone = PyList_New(0), *key = NULL, *value = NULL;
    Py_ssize_t at = 0;

    while (gone && PyDict_Next(dict, &at, &key, &value))
        if ((!PyBytes_Check(key) || !find_variable(PyBytes_AS_STRING(key))) &&
            PyList_Append(gone, key) < 0)
            Py_CLEAR(gone);
    return gone;
}

/* Makes @dict, which is posix.environ and what os.environ keeps its items in, what environ(7) is.
 * What is the same in both is not touched: most is, and stays in memory that is shared. */
static int replace_environ(PyObject *dict)
{
    PyObject *gone = list_gone(dict);
    int r = gone ? 0 : -1;

    for (Py_ssize_t i = 0; r == 0 && i < PyList_GET_SIZE(gone); i++)
        r = PyDict_DelItem(dict, PyList_GET_ITEM(gone, i));
    for (char **v = environ; r == 0 && v && *v; v++)
        if (find_variable(*v) == *v)
            r = set_variable(dict, *v);
    Py_XDECREF(gone);
    return r;
}

static PyObject *find_time_zone(PyObject *dict)
{
    PyObject *key = PyBytes_FromString("TZ");
    PyObject *value = key ? PyDict_GetItem(dict, key) : NULL; /* borrowed */

    Py_XDECREF(key);
    return value;
}

/* The C library looks at TZ when it is told to; the time module keeps what it found. */
static int replace_time_zone(void)
{
    PyObject *time = PyImport_ImportModule("time");
    PyObject *result = time ? PyObject_CallMethod(time, "tzset", NULL) : NULL;
    int r = result ? 0 : -1;

    Py_XDECREF(result);
    Py_XDECREF(time);
    return r;
}

static int replace_surroundings(void)
{
    PyObject *posix = PyImport_ImportModule("posix");
    PyObject *dict = posix ? PyObject_GetAttrString(posix, "environ") : NULL;
    PyObject *zone = dict ? Py_XNewRef(find_time_zone(dict)) : NULL;
    int r = dict ? replace_environ(dict) : -1;

    if (r == 0 && find_time_zone(dict) != zone) /* the same value stays the same object */
        r = replace_time_zone();
    Py_XDECREF(zone);
    Py_XDECREF(dict);
    Py_XDECREF(posix);
    return r;
}

int adopt(const struct python_conf *conf, struct liege_error *err)
{
    if (replace_surroundings() < 0 || interp_replace_argv(conf) < 0 || interp_set_path(conf) < 0 ||
        api_adopt() < 0 || environ_adopt() < 0 || loader_adopt() < 0)
        return traceback_report("the Python of the base vassal cannot be taken over", err);
    if (conf->auto_reload > 0)
        sources_skip();
    return 0;
}
