/* SPDX-License-Identifier: MIT */

/* start_response() and write() of PEP 3333, and the way of the body to the host. Both callables are
 * objects that point to the struct response of their request; when the request is over the pointer
 * is cleared, so that a callable which the application kept fails cleanly. Objects that it did not
 * keep serve the next request. Nothing is sent before the first bytes of the body: until then the
 * host lets the head be replaced, which is what exc_info is for. call.c owns the struct response
 * and sends the body; only write() does so from here. */

#include "response.h"

#include <stddef.h>
#include <time.h>

#include "head.h"
#include "host.h"
#include "pool.h"

struct writer {
    PyObject ob_base;
    vectorcallfunc call;
    struct response *response; /* NULL when the request is over */
};

struct start_response {
    PyObject ob_base;
    vectorcallfunc call;
    struct response *response; /* NULL when the request is over */
    struct writer *writer;     /* owned; what start_response() returns */
};

static struct pool pool;

/* Remembers that the client has gone and returns @result of a call to the host. */
static int keep_error(struct response *r, int result)
{
    if (result < 0 && result != -EOVERFLOW)
        r->error = result;
    return result;
}

int response_write(struct response *r, const char *data, size_t len)
{
    int result = r->error;

    if (result == 0)
        result = keep_error(r, python_host->respond->write(r->req, data, len));
    if (result == 0)
        r->sent += len;
    return result;
}

int response_write_file(struct response *r, int fd, uint64_t offset, uint64_t len)
{
    int result = r->error;

    if (result == 0)
        result = keep_error(r, python_host->respond->file(r->req, fd, offset, len));
    if (result == 0)
        r->sent += len;
    return result;
}

int response_end(struct response *r, const char *data, size_t len)
{
    if (r->error < 0)
        return r->error;
    r->ended = true;
    return keep_error(r, python_host->respond->end(r->req, data, len));
}

static PyObject *raise_request_over(const char *what)
{
    PyErr_Format(PyExc_RuntimeError, "%s was called after the end of its request", what);
    return NULL;
}

static PyObject *writer_call(PyObject *self, PyObject *const *args, size_t n_args, PyObject *names)
{
    struct response *r = ((struct writer *)self)->response;
    PyObject *data = NULL;
    int error;

    if (PyVectorcall_NARGS(n_args) != 1 || names) {
        PyErr_SetString(PyExc_TypeError, "write() takes one argument");
        return NULL;
    }
    data = args[0];
    if (!r)
        return raise_request_over("write()");
    if (!PyBytes_Check(data)) {
        PyErr_Format(PyExc_TypeError, "write() takes bytes, not %.100s", Py_TYPE(data)->tp_name);
        return NULL;
    }
    if (PyBytes_GET_SIZE(data) == 0)
        Py_RETURN_NONE;
    r->n_writing++;
    error = response_write(r, PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data));
    r->n_writing--;
    if (error == 0)
        Py_RETURN_NONE;
    if (error == -EOVERFLOW) {
        PyErr_SetString(PyExc_ValueError, "write(): more than the Content-Length of the response");
        return NULL;
    }
    errno = -error;
    return PyErr_SetFromErrno(PyExc_OSError);
}

/* A thread that has left write() keeps the GIL until it does not need the response any more. */
void response_expel_writers(struct response *r)
{
    const struct timespec moment = {.tv_nsec = 1000000};

    if (r->n_writing == 0)
        return;
    host_log(LIEGE_LOG_ERROR,
             "%.*s: the application returned while a thread of its own was writing the answer",
             (int)r->req->target.len, r->req->target.data);
    python_host->respond->fail(r->req);
    while (r->n_writing > 0) {
        Py_BEGIN_ALLOW_THREADS /* it waits for the client without it */
            (void) nanosleep(&moment, NULL);
        Py_END_ALLOW_THREADS
    }
}

/* Raises exc_info[1] as "raise e.with_traceback(tb)" does. */
static void raise_exc_info(PyObject *exc_info)
{
    PyObject *exception = PyTuple_GET_ITEM(exc_info, 1), *tb = PyTuple_GET_ITEM(exc_info, 2);

    if (!PyExceptionInstance_Check(exception)) {
        PyErr_SetString(PyExc_TypeError, "start_response(): exc_info[1] is not an exception");
        return;
    }
    if (PyTraceBack_Check(tb) && PyException_SetTraceback(exception, tb) < 0)
        return;
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
}

/* Whether a head may be given now: the first one always; a later one with exc_info, as long as
 * nothing was sent. Returns 0, or -1 with an exception set. */
static int check_order(const struct response *r, PyObject *exc_info)
{
    if (!exc_info || exc_info == Py_None) {
        if (!r->has_head)
            return 0;
        PyErr_SetString(PyExc_AssertionError,
                        "start_response() was called a second time without exc_info");
        return -1;
    }
    if (!PyTuple_Check(exc_info) || PyTuple_GET_SIZE(exc_info) != 3) {
        PyErr_SetString(PyExc_TypeError, "start_response(): exc_info is not a tuple of three");
        return -1;
    }
    if (!python_host->respond->started(r->req))
        return 0;
    raise_exc_info(exc_info);
    return -1;
}

/* start_response(status, headers[, exc_info]) */
static PyObject *start_response_call(PyObject *self, PyObject *const *args, size_t n_args,
                                     PyObject *names)
{
    struct start_response *s = (struct start_response *)self;
    Py_ssize_t n = PyVectorcall_NARGS(n_args), n_names = names ? PyTuple_GET_SIZE(names) : 0;
    PyObject *exc_info = n + n_names == 3 ? args[2] : NULL;

    if (n > 3 || n < 2 || n + n_names > 3 ||
        (n_names == 1 &&
         PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "exc_info") != 0)) {
        PyErr_SetString(PyExc_TypeError,
                        "start_response() takes a status, headers and perhaps exc_info");
        return NULL;
    }
    if (!s->response)
        return raise_request_over("start_response()");
    if (check_order(s->response, exc_info) < 0 || head_start(s->response, args[0], args[1]) < 0)
        return NULL;
    Py_INCREF(s->writer);
    return (PyObject *)s->writer;
}

static void writer_dealloc(PyObject *self)
{
    PyObject_Free(self);
}

static void start_response_dealloc(PyObject *self)
{
    Py_XDECREF(((struct start_response *)self)->writer);
    PyObject_Free(self);
}

static PyTypeObject writer_type = {
    .ob_base = PyVarObject_HEAD_INIT(NULL, 0).tp_name = "liege.write",
    .tp_doc = "Sends bytes of the body of a response.",
    .tp_basicsize = sizeof(struct writer),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(struct writer, call),
    .tp_call = PyVectorcall_Call,
    .tp_dealloc = writer_dealloc,
};

static PyTypeObject start_response_type = {
    .ob_base = PyVarObject_HEAD_INIT(NULL, 0).tp_name = "liege.start_response",
    .tp_doc = "Takes status and headers of a response and returns write().",
    .tp_basicsize = sizeof(struct start_response),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(struct start_response, call),
    .tp_call = PyVectorcall_Call,
    .tp_dealloc = start_response_dealloc,
};

int response_init(void)
{
    return PyType_Ready(&writer_type) < 0 || PyType_Ready(&start_response_type) < 0 ? -1 : 0;
}

/* Gives @s a writer of its own. Returns 0, or -1 with an exception set. */
static int add_writer(struct start_response *s)
{
    s->writer = PyObject_New(struct writer, &writer_type);
    if (!s->writer)
        return -1;
    s->writer->call = writer_call;
    return 0;
}

static struct start_response *start_response_new(void)
{
    struct start_response *s = PyObject_New(struct start_response, &start_response_type);

    if (s) {
        s->call = start_response_call;
        s->writer = NULL;
    }
    return s;
}

PyObject *response_open(struct response *r)
{
    struct start_response *s = (struct start_response *)pool_take(&pool);

    if (!s)
        s = start_response_new();
    if (s && !s->writer && add_writer(s) < 0)
        Py_CLEAR(s);
    if (!s)
        return NULL;
    s->response = r;
    s->writer->response = r;
    return (PyObject *)s;
}

void response_close(PyObject *start_response)
{
    struct start_response *s = (struct start_response *)start_response;

    s->response = NULL;
    s->writer->response = NULL;
    if (Py_REFCNT(s->writer) > 1) /* the application kept it */
        Py_CLEAR(s->writer);
    pool_give(&pool, start_response);
}
