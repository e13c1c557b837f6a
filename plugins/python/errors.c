/* SPDX-License-Identifier: MIT */

/* wsgi.errors (PEP 3333, "Input and Error Streams"): text that an application writes goes to the
 * instance's log, a line at a time, so that each gets its head. What has no newline yet waits for
 * it, for flush() or for the end of the request, at most MAX_PARTIAL bytes. The level is that of
 * errors, whatever the text says: it must not be filtered out. */

#include "errors.h"

#include <string.h>

#include "host.h"

#define MAX_PARTIAL 65536U

static struct {
    char *data;
    size_t len, capacity;
} partial; /* the begun line */

void errors_flush(void)
{
    if (partial.len == 0)
        return;
    python_host->log(LIEGE_LOG_ERROR, partial.data, partial.len);
    partial.len = 0;
}

static int append(const char *data, size_t len)
{
    if (len > partial.capacity - partial.len) {
        char *grown = PyMem_Realloc(partial.data, partial.len + len);

        if (!grown) {
            PyErr_NoMemory();
            return -1;
        }
        partial.data = grown;
        partial.capacity = partial.len + len;
    }
    if (len > 0)
        memcpy(partial.data + partial.len, data, len);
    partial.len += len;
    return 0;
}

/* Logs the whole lines of @data and keeps the rest. Returns 0, or -1 with an exception set. */
static int write_lines(const char *data, size_t len)
{
    const char *newline = memrchr(data, '\n', len);

    if (newline) {
        size_t whole = (size_t)(newline - data) + 1;

        if (append(data, whole) < 0)
            return -1;
        errors_flush();
        data += whole;
        len -= whole;
    }
    if (append(data, len) < 0)
        return -1;
    if (partial.len > MAX_PARTIAL)
        errors_flush();
    return 0;
}

static int write_text(PyObject *text)
{
    PyObject *bytes = NULL;
    int r;

    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "wsgi.errors takes str, not %.100s", Py_TYPE(text)->tp_name);
        return -1;
    }
    bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
    if (!bytes)
        return -1;
    r = write_lines(PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    Py_DECREF(bytes);
    return r;
}

static PyObject *errors_write(PyObject *self, PyObject *text)
{
    (void)self;
    if (write_text(text) < 0)
        return NULL;
    return PyLong_FromSsize_t(PyUnicode_GET_LENGTH(text));
}

static PyObject *errors_writelines(PyObject *self, PyObject *lines)
{
    PyObject *iterator = PyObject_GetIter(lines), *line = NULL;
    int r = 0;

    (void)self;
    if (!iterator)
        return NULL;
    while (r == 0 && (line = PyIter_Next(iterator))) {
        r = write_text(line);
        Py_DECREF(line);
    }
    Py_DECREF(iterator);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *errors_flush_method(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    errors_flush();
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"write", errors_write, METH_O, "Writes text to the log."},
    {"writelines", errors_writelines, METH_O, "Writes each item of an iterable to the log."},
    {"flush", errors_flush_method, METH_NOARGS, "Ends a line that has no newline."},
    {0},
};

static PyTypeObject errors_type = {
    .ob_base = PyVarObject_HEAD_INIT(NULL, 0).tp_name = "liege.errors",
    .tp_doc = "The log of the instance.",
    .tp_basicsize = sizeof(PyObject),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_methods = methods,
};

PyObject *errors_new(void)
{
    if (PyType_Ready(&errors_type) < 0)
        return NULL;
    return PyObject_New(PyObject, &errors_type);
}
