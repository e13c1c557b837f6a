/* SPDX-License-Identifier: MIT */

/* wsgi.file_wrapper (PEP 3333, "Optional Platform-Specific File Handling"). The wrapper is a plain
 * iterator for whoever treats it as one; when the application returns it and the file is a real
 * one, call.c sends it with sendfile(2) from where the application has left it. "Real" is decided
 * by exact type: io.FileIO, or a buffer of the io module right above one. An object that merely has
 * a fileno(), such as gzip.GzipFile, need not read what the descriptor holds. */

#include "filewrapper.h"

#include <stddef.h>
#include <sys/stat.h>

struct filewrapper {
    PyObject ob_base;
    PyObject *file;
    PyObject *block_size; /* int */
};

#define DEFAULT_BLOCK_SIZE 65536

static PyObject *file_io, *buffered_reader, *buffered_random; /* classes of the io module */

static int filewrapper_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(((struct filewrapper *)self)->file);
    return 0;
}

static int filewrapper_clear(PyObject *self)
{
    Py_CLEAR(((struct filewrapper *)self)->file);
    return 0;
}

static void filewrapper_dealloc(PyObject *self)
{
    PyObject_GC_UnTrack(self);
    (void)filewrapper_clear(self);
    Py_CLEAR(((struct filewrapper *)self)->block_size);
    PyObject_GC_Del(self);
}

static PyObject *filewrapper_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char file_name[] = "filelike", block_size_name[] = "blksize";
    static char *names[] = {file_name, block_size_name, NULL};
    Py_ssize_t block_size = DEFAULT_BLOCK_SIZE;
    struct filewrapper *w = NULL;
    PyObject *file = NULL;

    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|n:file_wrapper", names, &file, &block_size))
        return NULL;
    w = PyObject_GC_New(struct filewrapper, type);
    if (!w)
        return NULL;
    Py_INCREF(file);
    w->file = file;
    w->block_size = PyLong_FromSsize_t(block_size > 0 ? block_size : DEFAULT_BLOCK_SIZE);
    PyObject_GC_Track((PyObject *)w);
    if (!w->block_size)
        Py_CLEAR(w);
    return (PyObject *)w;
}

static PyObject *filewrapper_next(PyObject *self)
{
    struct filewrapper *w = (struct filewrapper *)self;
    PyObject *block = PyObject_CallMethod(w->file, "read", "O", w->block_size);
    Py_ssize_t len = block ? PyObject_Size(block) : -1;

    if (len <= 0)
        Py_CLEAR(block);
    return block;
}

static PyObject *filewrapper_close(PyObject *self, PyObject *unused)
{
    struct filewrapper *w = (struct filewrapper *)self;

    (void)unused;
    if (!PyObject_HasAttrString(w->file, "close"))
        Py_RETURN_NONE;
    return PyObject_CallMethod(w->file, "close", NULL);
}

static PyMethodDef methods[] = {
    {"close", filewrapper_close, METH_NOARGS, "Closes the file."},
    {0},
};

static PyTypeObject filewrapper_type = {
    .ob_base = PyVarObject_HEAD_INIT(NULL, 0).tp_name = "liege.file_wrapper",
    .tp_doc = "Iterates over the blocks of a file; the server may send it at once instead.",
    .tp_basicsize = sizeof(struct filewrapper),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_methods = methods,
    .tp_new = filewrapper_new,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = filewrapper_next,
    .tp_traverse = filewrapper_traverse,
    .tp_clear = filewrapper_clear,
    .tp_dealloc = filewrapper_dealloc,
};

int filewrapper_init(void)
{
    PyObject *io = PyImport_ImportModule("io");

    if (!io || PyType_Ready(&filewrapper_type) < 0) {
        Py_XDECREF(io);
        return -1;
    }
    file_io = PyObject_GetAttrString(io, "FileIO");
    buffered_reader = PyObject_GetAttrString(io, "BufferedReader");
    buffered_random = PyObject_GetAttrString(io, "BufferedRandom");
    Py_DECREF(io);
    return file_io && buffered_reader && buffered_random ? 0 : -1;
}

PyObject *filewrapper_type_get(void)
{
    return (PyObject *)&filewrapper_type;
}

static bool is_exact(PyObject *object, PyObject *class)
{
    return (PyObject *)Py_TYPE(object) == class;
}

static bool is_real_file(PyObject *file)
{
    PyObject *raw = NULL;
    bool real;

    if (is_exact(file, file_io))
        return true;
    if (!is_exact(file, buffered_reader) && !is_exact(file, buffered_random))
        return false;
    raw = PyObject_GetAttrString(file, "raw");
    real = raw && is_exact(raw, file_io);
    Py_XDECREF(raw);
    return real;
}

/* The int that @file.@method() returns, or -1 with or without an exception set. */
static long long call_number(PyObject *file, const char *method)
{
    PyObject *result = PyObject_CallMethod(file, method, NULL);
    long long n = result && PyLong_Check(result) ? PyLong_AsLongLong(result) : -1;

    Py_XDECREF(result);
    return n;
}

/* Makes the file hold what was written to @file, if it is a buffer for writing too. */
static bool flush(PyObject *file)
{
    PyObject *result = NULL;

    if (!is_exact(file, buffered_random))
        return true;
    result = PyObject_CallMethod(file, "flush", NULL);
    Py_XDECREF(result);
    return result != NULL;
}

bool filewrapper_is_file(PyObject *object, int *ret_fd, uint64_t *ret_offset, uint64_t *ret_len)
{
    PyObject *file = NULL;
    long long fd = -1, offset = -1;
    struct stat st = {0};

    if (Py_TYPE(object) != &filewrapper_type)
        return false;
    file = ((struct filewrapper *)object)->file;
    if (is_real_file(file) && flush(file)) {
        fd = call_number(file, "fileno");
        offset = fd >= 0 ? call_number(file, "tell") : -1;
    }
    PyErr_Clear();
    if (fd < 0 || offset < 0 || fstat((int)fd, &st) < 0 || !S_ISREG(st.st_mode))
        return false;
    *ret_fd = (int)fd;
    *ret_offset = (uint64_t)offset;
    *ret_len = st.st_size > offset ? (uint64_t)(st.st_size - offset) : 0;
    return true;
}
