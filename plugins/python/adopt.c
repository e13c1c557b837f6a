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

/* Adds "NAME=VALUE"; of a name that comes again the first one counts, as in Python. */
static int add_variable(PyObject *dict, const char *text)
{
    const char *equals = strchr(text, '=');
    PyObject *key = NULL, *value = NULL;
    int r = -1;

    if (!equals)
        return 0;
    key = PyBytes_FromStringAndSize(text, equals - text);
    value = PyBytes_FromString(equals + 1);
    if (key && value)
        r = PyDict_SetDefault(dict, key, value) ? 0 : -1;
    Py_XDECREF(value);
    Py_XDECREF(key);
    return r;
}

/* Makes @dict, which is posix.environ and what os.environ keeps its items in, what environ(7) is.
 */
static int replace_environ(PyObject *dict)
{
    int r = 0;

    PyDict_Clear(dict);
    for (char **v = environ; v && *v && r == 0; v++)
        r = add_variable(dict, *v);
    return r;
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
    int r = dict ? replace_environ(dict) : -1;

    Py_XDECREF(dict);
    Py_XDECREF(posix);
    return r == 0 ? replace_time_zone() : r;
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
