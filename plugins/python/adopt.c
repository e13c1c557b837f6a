/* SPDX-License-Identifier: MIT */

/* Taking over the interpreter of a base vassal: after the fork, before anything of this instance is
 * loaded, all that the base's configuration had said to Python is said anew. Objects that code may
 * have taken hold of (os.environ, sys.argv, liege.opt) stay the same and get other contents. What
 * belongs to the applications in memory stays: modules, what they registered, and the folders of
 * sys.path, behind this instance's own. Called by plugin.c. */

#include <Python.h>

#include "adopt.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
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

/* Sets the variable "NAME=VALUE" in @dict. */
static int set_variable(PyObject *dict, const char *text)
{
    const char *equals = strchr(text, '=');
    PyObject *key = PyBytes_FromStringAndSize(text, equals - text);
    PyObject *value = PyBytes_FromString(equals + 1);
    int r = key && value ? PyDict_SetItem(dict, key, value) : -1;

    Py_XDECREF(value);
    Py_XDECREF(key);
    return r;
}

/* What posix.environ had when all was loaded, "NAME=VALUE": by it a change is found without a look
 * at the objects, each of which would be written to. */
static struct {
    char **items;
    size_t n_items;
} noted;

static int note_variable(PyObject *key, PyObject *value)
{
    char **items = realloc(noted.items, (noted.n_items + 1) * sizeof(*items));
    char *text = NULL;

    if (!items)
        return -1;
    noted.items = items;
    if (!PyBytes_Check(key) || !PyBytes_Check(value) ||
        asprintf(&text, "%s=%s", PyBytes_AS_STRING(key), PyBytes_AS_STRING(value)) < 0)
        return -1;
    items[noted.n_items++] = text;
    return 0;
}

static void forget_noted(void)
{
    for (size_t i = 0; i < noted.n_items; i++)
        free(noted.items[i]);
    free(noted.items);
    noted.items = NULL;
    noted.n_items = 0;
}

static bool is_noted(const char *text)
{
    for (size_t i = 0; i < noted.n_items; i++)
        if (strcmp(noted.items[i], text) == 0)
            return true;
    return false;
}

static PyObject *find_environ(void)
{
    PyObject *name = PyUnicode_FromString("posix");
    PyObject *posix = name ? PyImport_GetModule(name) : NULL;
    PyObject *dict = posix ? PyObject_GetAttrString(posix, "environ") : NULL;

    Py_XDECREF(posix);
    Py_XDECREF(name);
    return dict;
}

void adopt_prepare(void)
{
    PyObject *dict = find_environ(), *key = NULL, *value = NULL;
    Py_ssize_t at = 0;
    int r = dict ? 0 : -1;

    forget_noted();
    while (r == 0 && PyDict_Next(dict, &at, &key, &value))
        r = note_variable(key, value);
    if (r < 0) /* it is looked at as a whole then */
        forget_noted();
    Py_XDECREF(dict);
    PyErr_Clear();
}

static int remove_variable(PyObject *dict, const char *text)
{
    PyObject *key = PyBytes_FromStringAndSize(text, (Py_ssize_t)strcspn(text, "="));
    int r = key ? PyDict_DelItem(dict, key) : -1;

    Py_XDECREF(key);
    return r;
}

/* Empties @dict of what is in no environ(7). */
static int remove_gone(PyObject *dict)
{
    int r = 0;

    if (noted.n_items == 0)
        PyDict_Clear(dict);
    for (size_t i = 0; r == 0 && i < noted.n_items; i++)
        if (!find_variable(noted.items[i]))
            r = remove_variable(dict, noted.items[i]);
    return r;
}

/* Makes @dict, which is posix.environ and what os.environ keeps its items in, what environ(7) is.
 * What is the same in both is not touched: most is, and stays in memory that is shared. */
static int replace_environ(PyObject *dict)
{
    int r = remove_gone(dict);

    for (char **v = environ; r == 0 && v && *v; v++)
        if (find_variable(*v) == *v && !is_noted(*v))
            r = set_variable(dict, *v);
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
    PyObject *dict = find_environ();
    PyObject *zone = dict ? Py_XNewRef(find_time_zone(dict)) : NULL;
    int r = dict ? replace_environ(dict) : -1;

    if (r == 0 && find_time_zone(dict) != zone) /* the same value stays the same object */
        r = replace_time_zone();
    Py_XDECREF(zone);
    Py_XDECREF(dict);
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
