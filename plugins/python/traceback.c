/* SPDX-License-Identifier: MIT */

/* Prints exceptions: the whole traceback into the log of the instance, as Python's own traceback
 * module formats it, and the one line that tells an operator where to look. The place is the line
 * that does not compile, or the innermost line that is not the import machinery's. The loader and
 * the request path come here with an exception set and leave without one; whatever goes wrong while
 * printing is printed as far as possible and never raised. */

#include "traceback.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "host.h"

static PyObject *string_io; /* io.StringIO, which is not in a file */

int traceback_init(void)
{
    PyObject *module = PyImport_ImportModule("io");

    if (!module)
        return -1;
    string_io = PyObject_GetAttrString(module, "StringIO");
    Py_DECREF(module);
    return string_io ? 0 : -1;
}

PyObject *traceback_take_exception(void)
{
#if PY_VERSION_HEX >= 0x030c0000
    return PyErr_GetRaisedException();
#else
    PyObject *type = NULL, *value = NULL, *tb = NULL;

    PyErr_Fetch(&type, &value, &tb);
    PyErr_NormalizeException(&type, &value, &tb);
    if (value && tb)
        (void)PyException_SetTraceback(value, tb); /* fails for what is no traceback only */
    Py_XDECREF(type);
    Py_XDECREF(tb);
    return value;
#endif
}

/* traceback.format_exception(). The module and what it needs take longer to import than all else
 * that a small application is started with, so it is imported for the first exception. */
static PyObject *format_whole(PyObject *exception, PyObject *tb)
{
    PyObject *module = PyImport_ImportModule("traceback");
    PyObject *lines = module ? PyObject_CallMethod(module, "format_exception", "OOO",
                                                   Py_TYPE(exception), exception, tb)
                             : NULL;
    PyObject *empty = PyUnicode_FromString("");
    PyObject *text = lines && empty ? PyUnicode_Join(empty, lines) : NULL;

    Py_XDECREF(empty);
    Py_XDECREF(lines);
    Py_XDECREF(module);
    return text;
}

/* Its frames and itself, but not the exceptions that led to it: what can be said when the module's
 * files are gone, or no descriptor is left to open them. */
static PyObject *format_plainly(PyObject *exception, PyObject *tb)
{
    PyObject *out = PyObject_CallNoArgs(string_io);
    PyObject *frames = NULL, *message = PyObject_Str(exception), *text = NULL;

    if (!message)
        PyErr_Clear();
    if (out && (tb == Py_None || PyTraceBack_Print(tb, out) == 0))
        frames = PyObject_CallMethod(out, "getvalue", NULL);
    if (frames)
        text =
            PyUnicode_FromFormat("%U%s: %V\n", frames, Py_TYPE(exception)->tp_name, message, "?");
    Py_XDECREF(frames);
    Py_XDECREF(message);
    Py_XDECREF(out);
    return text;
}

/* The text of @exception as Python prints it, a new reference; NULL without an exception set. */
static PyObject *format(PyObject *exception)
{
    PyObject *tb = PyException_GetTraceback(exception);
    PyObject *text = format_whole(exception, tb ? tb : Py_None);

    if (!text) {
        PyErr_Clear();
        text = format_plainly(exception, tb ? tb : Py_None);
    }
    PyObject *bytes = text ? PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace") : NULL;

    PyErr_Clear();
    Py_XDECREF(text);
    Py_XDECREF(tb);
    return bytes;
}

static void log_exception(const char *title, PyObject *exception)
{
    PyObject *text = format(exception);

    host_log(LIEGE_LOG_ERROR, "%s", title);
    if (text)
        python_host->log(LIEGE_LOG_ERROR, PyBytes_AS_STRING(text), (size_t)PyBytes_GET_SIZE(text));
    else
        host_log(LIEGE_LOG_ERROR, "%s (which cannot be printed)", Py_TYPE(exception)->tp_name);
    Py_XDECREF(text);
}

void traceback_log(const char *title)
{
    PyObject *exception = traceback_take_exception();

    if (!exception)
        return;
    log_exception(title, exception);
    Py_DECREF(exception);
}

/* Copies str(@object) to @text as one line, cut if need be; "?" when that fails. */
static void copy_text(PyObject *object, char *text, size_t size)
{
    PyObject *str = object ? PyObject_Str(object) : NULL;
    PyObject *bytes = str ? PyUnicode_AsEncodedString(str, "utf-8", "backslashreplace") : NULL;

    (void)snprintf(text, size, "%s", bytes ? PyBytes_AS_STRING(bytes) : "?");
    for (char *newline = strchr(text, '\n'); newline; newline = strchr(newline, '\n'))
        *newline = ' ';
    Py_XDECREF(bytes);
    Py_XDECREF(str);
    PyErr_Clear();
}

static void copy_attribute(PyObject *object, const char *name, char *text, size_t size)
{
    PyObject *value = PyObject_GetAttrString(object, name);

    copy_text(value, text, size);
    Py_XDECREF(value);
}

/* Writes "FILE:LINE: " of a SyntaxError, which the compiler raised: no frame shows the place. */
static void copy_syntax_place(PyObject *exception, char *text, size_t size)
{
    char file[512] = "", line[32] = "";

    copy_attribute(exception, "filename", file, sizeof(file));
    copy_attribute(exception, "lineno", line, sizeof(line));
    if (strcmp(file, "None") != 0 && strcmp(line, "None") != 0)
        (void)snprintf(text, size, "%s:%s: ", file, line);
}

/* Writes "FILE:LINE: " of the innermost frame outside of importlib, or nothing. */
static void copy_frame_place(PyObject *exception, char *text, size_t size)
{
    PyObject *tb = PyException_GetTraceback(exception);

    while (tb && tb != Py_None) {
        PyObject *frame = PyObject_GetAttrString(tb, "tb_frame");
        PyObject *code = frame ? PyObject_GetAttrString(frame, "f_code") : NULL;
        PyObject *next = PyObject_GetAttrString(tb, "tb_next");
        char file[512] = "", line[32] = "";

        if (code)
            copy_attribute(code, "co_filename", file, sizeof(file));
        copy_attribute(tb, "tb_lineno", line, sizeof(line));
        if (strncmp(file, "<frozen importlib", strlen("<frozen importlib")) != 0)
            (void)snprintf(text, size, "%s:%s: ", file, line);
        Py_XDECREF(code);
        Py_XDECREF(frame);
        Py_DECREF(tb);
        tb = next;
    }
    Py_XDECREF(tb);
    PyErr_Clear();
}

int traceback_report(const char *title, struct liege_error *err)
{
    PyObject *exception = traceback_take_exception();
    char place[600] = "", message[400] = "";

    if (!exception)
        return host_error(err, -ECANCELED, "%s", title);
    if (PyErr_GivenExceptionMatches(exception, PyExc_SyntaxError)) {
        copy_syntax_place(exception, place, sizeof(place));
        copy_attribute(exception, "msg", message, sizeof(message));
    } else {
        copy_frame_place(exception, place, sizeof(place));
        copy_text(exception, message, sizeof(message));
    }
    (void)host_error(err, 0, "%s%s: %s", place, Py_TYPE(exception)->tp_name, message);
    log_exception(title, exception);
    Py_DECREF(exception);
    return -ECANCELED;
}
