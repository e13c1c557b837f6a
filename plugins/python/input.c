/* SPDX-License-Identifier: MIT */

/* wsgi.input (PEP 3333, "Input and Error Streams"). The body has been read before the application
 * runs, so nothing here waits, and the end of the body is the end of the file whether the client
 * sent a length or chunks (wsgi.input_terminated). seek() and tell() come for free and are offered
 * too. The object points to its request and is cut off when that is over; one that the application
 * did not keep serves the next request. call.c opens and closes it. */

#include "input.h"

#include "host.h"
#include "pool.h"

struct input {
    PyObject ob_base;
    struct liege_request *req; /* NULL when the request is over */
};

static struct pool pool;

/* The request of @self, or NULL with an exception set. */
static struct liege_request *get_request(PyObject *self)
{
    struct liege_request *req = ((struct input *)self)->req;

    if (!req)
        PyErr_SetString(PyExc_ValueError, "wsgi.input was used after the end of its request");
    return req;
}

static PyObject *raise_errno(int error)
{
    errno = -error;
    return PyErr_SetFromErrno(PyExc_OSError);
}

static uint64_t bytes_left(const struct liege_request *req)
{
    return req->has_body ? req->body_length - python_host->body->tell(req) : 0;
}

/* Reads the optional size argument of a method: what is missing, None or negative means all. */
static int parse_size(const char *method, PyObject *const *args, Py_ssize_t n_args, uint64_t *ret)
{
    Py_ssize_t n = -1;

    if (n_args > 1) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most one argument (%zd given)", method,
                     n_args);
        return -1;
    }
    if (n_args == 1 && args[0] != Py_None) {
        n = PyNumber_AsSsize_t(args[0], NULL);
        if (n == -1 && PyErr_Occurred())
            return -1;
    }
    *ret = n < 0 ? UINT64_MAX : (uint64_t)n;
    return 0;
}

static PyObject *input_read(PyObject *self, PyObject *const *args, Py_ssize_t n_args)
{
    struct liege_request *req = get_request(self);
    uint64_t size = 0, left;
    Py_ssize_t got = 0;
    PyObject *bytes = NULL;

    if (!req || parse_size("read", args, n_args, &size) < 0)
        return NULL;
    left = bytes_left(req);
    if (size > left)
        size = left;
    bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    while (bytes && (uint64_t)got < size) {
        ssize_t n = python_host->body->read(req, PyBytes_AS_STRING(bytes) + got,
                                            (size_t)size - (size_t)got);

        if (n < 0) {
            Py_DECREF(bytes);
            return raise_errno((int)n);
        }
        if (n == 0)
            break;
        got += n;
    }
    if (bytes && (uint64_t)got < size)
        (void)_PyBytes_Resize(&bytes, got); /* on failure NULL, with the exception */
    return bytes;
}

/* The next line, at most @max bytes of it; b"" at the end. */
static PyObject *read_line(struct liege_request *req, uint64_t max)
{
    const char *data = NULL;
    ssize_t n = 0;

    if (max > PY_SSIZE_T_MAX)
        max = PY_SSIZE_T_MAX;
    if (max > 0 && bytes_left(req) > 0)
        n = python_host->body->read_line(req, (size_t)max, &data);
    if (n < 0)
        return raise_errno((int)n);
    return PyBytes_FromStringAndSize(data, n);
}

static PyObject *input_readline(PyObject *self, PyObject *const *args, Py_ssize_t n_args)
{
    struct liege_request *req = get_request(self);
    uint64_t max = 0;

    if (!req || parse_size("readline", args, n_args, &max) < 0)
        return NULL;
    return read_line(req, max);
}

/* readlines([hint]): all lines, or as many whole ones as make up at least @hint bytes. */
static PyObject *input_readlines(PyObject *self, PyObject *const *args, Py_ssize_t n_args)
{
    struct liege_request *req = get_request(self);
    uint64_t hint = 0, total = 0;
    PyObject *lines = NULL;

    if (!req || parse_size("readlines", args, n_args, &hint) < 0)
        return NULL;
    if (hint == 0)
        hint = UINT64_MAX; /* as files do */
    lines = PyList_New(0);
    while (lines && total < hint && bytes_left(req) > 0) {
        PyObject *line = read_line(req, UINT64_MAX);

        if (!line || PyList_Append(lines, line) < 0)
            Py_CLEAR(lines);
        else
            total += (uint64_t)PyBytes_GET_SIZE(line);
        Py_XDECREF(line);
    }
    return lines;
}

static PyObject *input_next(PyObject *self)
{
    struct liege_request *req = get_request(self);

    if (!req || bytes_left(req) == 0)
        return NULL; /* without an exception it means the end */
    return read_line(req, UINT64_MAX);
}

static PyObject *input_tell(PyObject *self, PyObject *unused)
{
    const struct liege_request *req = get_request(self);

    (void)unused;
    if (!req)
        return NULL;
    return PyLong_FromUnsignedLongLong(req->has_body ? python_host->body->tell(req) : 0);
}

/* seek(offset[, whence]); past the end of the body is its end. */
static PyObject *input_seek(PyObject *self, PyObject *args)
{
    struct liege_request *req = get_request(self);
    Py_ssize_t position = 0, base = 0;
    int whence = SEEK_SET, r = 0;

    if (!req || !PyArg_ParseTuple(args, "n|i:seek", &position, &whence))
        return NULL;
    if (whence == SEEK_CUR)
        base = req->has_body ? (Py_ssize_t)python_host->body->tell(req) : 0;
    else if (whence == SEEK_END)
        base = (Py_ssize_t)req->body_length;
    else if (whence != SEEK_SET)
        return PyErr_Format(PyExc_ValueError, "seek(): whence is %d, not 0, 1 or 2", whence);
    if (__builtin_add_overflow(position, base, &position) || position < 0)
        return PyErr_Format(PyExc_ValueError, "seek(): before the start of the body");
    if ((uint64_t)position > req->body_length)
        position = (Py_ssize_t)req->body_length;
    if (req->has_body)
        r = python_host->body->seek(req, (uint64_t)position);
    return r < 0 ? raise_errno(r) : PyLong_FromSsize_t(position);
}

static PyObject *input_true(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    Py_RETURN_TRUE;
}

#define FAST(f) ((PyCFunction)(void (*)(void))(f))

static PyMethodDef methods[] = {
    {"read", FAST(input_read), METH_FASTCALL, "Reads bytes: all, or at most as many as asked for."},
    {"readline", FAST(input_readline), METH_FASTCALL, "Reads up to the end of a line."},
    {"readlines", FAST(input_readlines), METH_FASTCALL, "Reads lines into a list."},
    {"seek", input_seek, METH_VARARGS, "Moves within the body."},
    {"tell", input_tell, METH_NOARGS, "The position within the body."},
    {"seekable", input_true, METH_NOARGS, "True."},
    {"readable", input_true, METH_NOARGS, "True."},
    {0},
};

static void input_dealloc(PyObject *self)
{
    PyObject_Free(self);
}

static PyTypeObject input_type = {
    .ob_base = PyVarObject_HEAD_INIT(NULL, 0).tp_name = "liege.input",
    .tp_doc = "The body of a request.",
    .tp_basicsize = sizeof(struct input),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_methods = methods,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = input_next,
    .tp_dealloc = input_dealloc,
};

int input_init(void)
{
    return PyType_Ready(&input_type);
}

PyObject *input_open(struct liege_request *req)
{
    struct input *in = (struct input *)pool_take(&pool);

    if (!in)
        in = PyObject_New(struct input, &input_type);
    if (in)
        in->req = req;
    return (PyObject *)in;
}

void input_close(PyObject *input)
{
    ((struct input *)input)->req = NULL;
    pool_give(&pool, input);
}
