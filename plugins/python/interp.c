/* SPDX-License-Identifier: MIT */

/* The life of the interpreter: start, forks, waiting, exit. There is one, the main one: extension
 * modules such as numpy do not work in others. The GIL and Python's fork hooks are always on, so
 * threads of an application run and os.register_at_fork() works. The zygote starts the interpreter
 * and forks; workers inherit it. Nothing here knows about requests. plugin.c puts these functions
 * into the plugin's descriptor. */

#include <Python.h>

#include "interp.h"

#include <dlfcn.h>
#include <errno.h>

#include "api.h"
#include "host.h"
#include "interp-config.h"
#include "traceback.h"

/* Extension modules expect libpython's symbols in the global scope, and do not name it as a library
 * they need; the host opened us, and so libpython, in a scope of its own. */
static void promote_libpython(void)
{
    Dl_info info = {0};

    if (dladdr(&PyType_Type, &info) == 0 ||
        !dlopen(info.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD))
        host_log(LIEGE_LOG_WARNING, "extension modules may not load: libpython is not global");
}

/* Calls @name() of @module, if that can be imported; an exception is logged. */
static void call_function(const char *module, const char *name)
{
    PyObject *m = PyImport_ImportModule(module);
    PyObject *result = m ? PyObject_CallMethod(m, name, NULL) : NULL;
    char title[64] = "";

    (void)snprintf(title, sizeof(title), "%s.%s() failed", module, name);
    if (!result)
        traceback_log(title);
    Py_XDECREF(result);
    Py_XDECREF(m);
}

/* Calls a method without arguments of sys.@stream, which the application may have replaced by
 * anything: what goes wrong is of no interest. */
static void call_stream(const char *stream, const char *method)
{
    PyObject *file = PySys_GetObject(stream); /* borrowed */
    PyObject *result = NULL;

    if (file && file != Py_None)
        result = PyObject_CallMethod(file, method, NULL);
    Py_XDECREF(result);
    PyErr_Clear();
}

static void flush_streams(void)
{
    call_stream("stdout", "flush");
    call_stream("stderr", "flush");
}

/* What an application prints is to be seen when the line ends, although no terminal reads it. */
static int make_stdout_line_buffered(void)
{
    PyObject *file = PySys_GetObject("stdout"); /* borrowed */
    PyObject *method = NULL, *args = NULL, *kwargs = NULL, *result = NULL;

    if (!file || file == Py_None)
        return 0;
    method = PyObject_GetAttrString(file, "reconfigure");
    args = PyTuple_New(0);
    kwargs = Py_BuildValue("{s:O}", "line_buffering", Py_True);
    if (method && args && kwargs)
        result = PyObject_Call(method, args, kwargs);
    Py_XDECREF(kwargs);
    Py_XDECREF(args);
    Py_XDECREF(method);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

int interp_start(const struct python_conf *conf, struct liege_error *err)
{
    int r;

    promote_libpython();
    if (api_register() < 0)
        return host_error(err, -ENOMEM, "Python does not start: no memory");
    r = interp_initialize(conf, err);
    if (r < 0)
        return r;
    if (interp_set_path(conf) < 0) {
        PyErr_Clear();
        return host_error(err, -ENOMEM, "Python does not start: sys.path cannot be set");
    }
    if (traceback_init() < 0 || make_stdout_line_buffered() < 0 || api_start() < 0) {
        PyErr_Print();
        return host_error(err, -ECANCELED, "Python does not start: its library is not complete");
    }
    return 0;
}

/* Writes out what the file @thing has in its buffer, whatever comes of it. */
static void flush_file(PyObject *thing)
{
    PyObject *writable = PyObject_CallMethod(thing, "writable", NULL);
    PyObject *result = NULL;

    if (writable && PyObject_IsTrue(writable) == 1)
        result = PyObject_CallMethod(thing, "flush", NULL);
    Py_XDECREF(result);
    Py_XDECREF(writable);
    PyErr_Clear(); /* it is closed, say */
}

/* The files that the application has opened: what it has written there and is in a buffer would be
 * written by each process that is forked. */
static void flush_files(void)
{
    PyObject *io = PyImport_ImportModule("io"), *gc = PyImport_ImportModule("gc");
    PyObject *text = io ? PyObject_GetAttrString(io, "TextIOWrapper") : NULL;
    PyObject *bytes = io ? PyObject_GetAttrString(io, "BufferedWriter") : NULL;
    PyObject *random = io ? PyObject_GetAttrString(io, "BufferedRandom") : NULL;
    PyObject *all = gc ? PyObject_CallMethod(gc, "get_objects", NULL) : NULL;

    for (Py_ssize_t i = 0; all && i < PyList_GET_SIZE(all); i++) {
        PyObject *thing = PyList_GET_ITEM(all, i), *type = (PyObject *)Py_TYPE(thing);

        if (type == text || type == bytes || type == random)
            flush_file(thing);
    }
    Py_XDECREF(all);
    Py_XDECREF(random);
    Py_XDECREF(bytes);
    Py_XDECREF(text);
    Py_XDECREF(gc);
    Py_XDECREF(io);
    PyErr_Clear();
}

static bool settled; /* no code of the application has run since */

bool interp_settle(void)
{
    if (settled)
        return false;
    flush_streams();
    flush_files();
    (void)PyGC_Collect();
    call_function("gc", "freeze");
    settled = true;
    return true;
}

void interp_before_fork(void)
{
    (void)interp_settle();
    flush_streams(); /* or a line begun before the fork would be printed by both */
    PyOS_BeforeFork();
}

void interp_unsettle(void)
{
    settled = false;
}

void interp_after_fork_parent(void)
{
    PyOS_AfterFork_Parent();
}

/* Python renews the thread's identity and forgets the kernel's number of it. */
static void renew_thread_number(void)
{
    PyObject *threading =
        PyDict_GetItemString(PyImport_GetModuleDict(), "threading"); /* borrowed */
    PyObject *thread = threading ? PyObject_CallMethod(threading, "current_thread", NULL) : NULL;
    PyObject *result = thread ? PyObject_CallMethod(thread, "_set_native_id", NULL) : NULL;

    Py_XDECREF(result);
    Py_XDECREF(thread);
    PyErr_Clear(); /* a Python that has no such method has no such number */
}

void interp_after_fork_child(void)
{
    PyOS_AfterFork_Child();
    renew_thread_number();
}

static _Thread_local PyThreadState *waiting; /* of a thread between wait_begin and wait_end */

void interp_wait_begin(void)
{
    waiting = PyEval_SaveThread();
}

void interp_wait_end(void)
{
    if (waiting)
        PyEval_RestoreThread(waiting);
    else
        (void)PyGILState_Ensure(); /* kept for the life of the thread */
    waiting = NULL;
}

void interp_stop(void)
{
    (void)api_call_hook("atexit"); /* a failure is in the log, and the process ends anyway */
    call_function("atexit", "_run_exitfuncs");
    flush_streams();
}
