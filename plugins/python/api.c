/* SPDX-License-Identifier: MIT */

/* The module that an application imports to talk to its server: `import liege`, or `import uwsgi`
 * in code that was written for uWSGI, whose names and types it keeps (`opt` has bytes, as there).
 * Only what works is in it, so that hasattr() tells the truth. Applications may store
 * functions in it: post_fork_hook, called in each worker before its first request, zygote_hook,
 * called in a copy of a worker that is to be the zygote, and atexit, called when the process ends.
 */

#include <Python.h>

#include "api.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "traceback.h"

/* Owned for the life of the process. */
static PyObject *api_module, *opt;

static PyObject *api_worker_id(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    return PyLong_FromLong(python_host->worker_id());
}

static PyObject *api_masterpid(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    return PyLong_FromLongLong(python_host->master_pid());
}

static PyObject *api_reload(PyObject *self, PyObject *unused)
{
    int r = python_host->reload();

    (void)self;
    (void)unused;
    if (r < 0) {
        errno = -r;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_TRUE;
}

static PyObject *api_log(PyObject *self, PyObject *text)
{
    PyObject *bytes = NULL;

    (void)self;
    if (PyBytes_Check(text)) {
        Py_INCREF(text);
        bytes = text;
    } else if (PyUnicode_Check(text)) {
        bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
    } else {
        PyErr_Format(PyExc_TypeError, "log() takes a str or bytes, not %.100s",
                     Py_TYPE(text)->tp_name);
    }
    if (!bytes)
        return NULL;
    python_host->log(LIEGE_LOG_INFO, PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    Py_DECREF(bytes);
    Py_RETURN_TRUE;
}

static PyMethodDef methods[] = {
    {"worker_id", api_worker_id, METH_NOARGS, "The number of this worker, or 0 outside of one."},
    {"masterpid", api_masterpid, METH_NOARGS, "The process id of the master."},
    {"reload", api_reload, METH_NOARGS, "Asks the master to reload the instance."},
    {"log", api_log, METH_O, "Writes lines to the log of the instance."},
    {0},
};

/* Adds a setting to `opt`: its value as bytes, or True for one without a value; a list of those
 * when the key comes again. */
static int add_setting(const struct liege_setting *setting)
{
    PyObject *key = PyUnicode_DecodeFSDefault(setting->key);
    PyObject *value =
        setting->value[0] == '\0' ? Py_NewRef(Py_True) : PyBytes_FromString(setting->value);
    PyObject *old = key ? PyDict_GetItemWithError(opt, key) : NULL; /* borrowed */
    int r = -1;

    if (!key || !value || PyErr_Occurred()) {
        r = -1;
    } else if (!old) {
        r = PyDict_SetItem(opt, key, value);
    } else if (PyList_Check(old)) {
        r = PyList_Append(old, value);
    } else {
        PyObject *list = Py_BuildValue("[OO]", old, value);

        r = list ? PyDict_SetItem(opt, key, list) : -1;
        Py_XDECREF(list);
    }
    Py_XDECREF(value);
    Py_XDECREF(key);
    return r;
}

/* `opt` stays the same object: code may have imported it by name. */
static int fill_opt(void)
{
    PyDict_Clear(opt);
    for (size_t i = 0; i < python_host->n_settings; i++)
        if (add_setting(&python_host->settings[i]) < 0)
            return -1;
    return 0;
}

/* Stores @value in the module and takes the reference, also on failure. */
static int add_object(PyObject *module, const char *name, PyObject *value)
{
    int r = value ? PyModule_AddObjectRef(module, name, value) : -1;

    Py_XDECREF(value);
    return r;
}

/* What tells of the instance and the machine. */
static int set_host_objects(PyObject *module)
{
    char hostname[HOST_NAME_MAX + 1] = "";

    (void)gethostname(hostname, sizeof(hostname) - 1);
    if (fill_opt() < 0 || add_object(module, "hostname", PyBytes_FromString(hostname)) < 0 ||
        add_object(module, "numproc", PyLong_FromUnsignedLongLong(python_host->n_workers)) < 0)
        return -1;
    return 0;
}

static PyObject *create_module(void)
{
    static struct PyModuleDef definition = {
        PyModuleDef_HEAD_INIT,
        .m_name = "liege",
        .m_doc = "The server that runs this application.",
        .m_size = -1,
        .m_methods = methods,
    };
    PyObject *module = PyModule_Create(&definition);

    opt = PyDict_New();
    if (module && (!opt || add_object(module, "opt", Py_NewRef(opt)) < 0 ||
                   add_object(module, "version", PyUnicode_FromString(python_host->version)) < 0 ||
                   set_host_objects(module) < 0))
        Py_CLEAR(module);
    return module;
}

int api_register(void)
{
    return PyImport_AppendInittab("liege", create_module);
}

int api_start(void)
{
    api_module = PyImport_ImportModule("liege");
    if (!api_module)
        return -1;
    return PyDict_SetItemString(PyImport_GetModuleDict(), "uwsgi", api_module);
}

int api_adopt(void)
{
    return set_host_objects(api_module);
}

int api_call_hook(const char *name)
{
    PyObject *hook = PyDict_GetItemString(PyModule_GetDict(api_module), name); /* borrowed */
    PyObject *result = NULL;
    char title[64] = "";

    if (!hook || hook == Py_None)
        return 0;
    Py_INCREF(hook);
    result = PyObject_CallNoArgs(hook);
    Py_DECREF(hook);
    if (!result) {
        (void)snprintf(title, sizeof(title), "%s failed", name);
        traceback_log(title);
        return -1;
    }
    Py_DECREF(result);
    return 0;
}
