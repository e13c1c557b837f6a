/* SPDX-License-Identifier: MIT */

/* One WSGI request (PEP 3333): environ and start_response in, the iterable out to the host, close()
 * at the end. What the application gets wrong becomes a traceback in the log and, as far as that is
 * still possible, a 500. A client that goes away is no error: iteration stops and the application
 * learns it from close(), or from the OSError of a write() that it makes. close() is called exactly
 * once in all cases. SystemExit and KeyboardInterrupt are an application's exceptions like others:
 * no request ends a worker. All state is on the stack or in the objects of this call, so calls may
 * be in progress in several threads. */

#include "call.h"

#include "environ.h"
#include "errors.h"
#include "filewrapper.h"
#include "host.h"
#include "input.h"
#include "interp.h"
#include "response.h"
#include "traceback.h"

#define MAX_TARGET 200 /* bytes of it in a log line */

static PyObject *close_name; /* "close" */

/* What became of a piece of the body. */
enum sent {
    SENT_ERROR = -1, /* an exception is set */
    SENT_MORE = 0,   /* go on */
    SENT_ENOUGH = 1, /* nothing more can be sent: the client has gone, or the body is full */
};

int wsgi_init(void)
{
    PyObject *errors = NULL;
    int r = -1;

    close_name = PyUnicode_InternFromString("close");
    if (!close_name || response_init() < 0 || input_init() < 0 || filewrapper_init() < 0)
        return -1;
    errors = errors_new();
    if (errors)
        r = environ_init(errors, filewrapper_type_get());
    Py_XDECREF(errors);
    return r;
}

static void log_exception(const struct response *r)
{
    const struct liege_request *req = r->req;
    char title[MAX_TARGET + 64] = "";
    size_t len = req->target.len < MAX_TARGET ? req->target.len : MAX_TARGET;

    (void)snprintf(title, sizeof(title), "%.*s %.*s: the application failed",
                   (int)(req->method.len < 20 ? req->method.len : 20), req->method.data, (int)len,
                   req->target.data);
    traceback_log(title);
}

/* The application failed: an exception is set. An OSError after the client has gone is only the
 * news of that, passed on. */
static void fail(struct response *r)
{
    if (r->error < 0 && PyErr_ExceptionMatches(PyExc_OSError))
        PyErr_Clear();
    else
        log_exception(r);
    python_host->respond->fail(r->req);
}

static enum sent raise_no_head(void)
{
    PyErr_SetString(PyExc_AssertionError, "start_response() was not called before the body");
    return SENT_ERROR;
}

static enum sent raise_bad_item(PyObject *item, PyObject *result)
{
    if (PyBytes_Check(result) || PyUnicode_Check(result))
        PyErr_Format(PyExc_TypeError, "the application returned a %.100s, not a list of bytes",
                     Py_TYPE(result)->tp_name);
    else
        PyErr_Format(PyExc_TypeError, "the body has a %.100s in it, not only bytes",
                     Py_TYPE(item)->tp_name);
    return SENT_ERROR;
}

/* What follows from the @error of a call that sends. */
static enum sent to_sent(const struct response *r, int error)
{
    if (error == -EOVERFLOW)
        host_log(LIEGE_LOG_WARNING,
                 "%.*s: the body is longer than its Content-Length; the rest was not sent",
                 (int)(r->req->target.len < MAX_TARGET ? r->req->target.len : MAX_TARGET),
                 r->req->target.data);
    return error == 0 ? SENT_MORE : SENT_ENOUGH;
}

/* Sends one item of the iterable @result. */
static enum sent send_item(struct response *r, PyObject *item, PyObject *result)
{
    if (!PyBytes_Check(item))
        return raise_bad_item(item, result);
    if (PyBytes_GET_SIZE(item) == 0)
        return SENT_MORE; /* the head waits for real bytes */
    if (!r->has_head)
        return raise_no_head();
    return to_sent(r, response_write(r, PyBytes_AS_STRING(item), (size_t)PyBytes_GET_SIZE(item)));
}

/* The whole body is one piece: its length is known. */
static enum sent send_single(struct response *r, PyObject *item, PyObject *result)
{
    int error;

    if (!PyBytes_Check(item))
        return raise_bad_item(item, result);
    if (!r->has_head)
        return raise_no_head();
    Py_INCREF(item); /* the host may wait, and the application change its list meanwhile */
    error = response_end(r, PyBytes_AS_STRING(item), (size_t)PyBytes_GET_SIZE(item));
    Py_DECREF(item);
    return to_sent(r, error);
}

/* An item of a list or a tuple, borrowed. */
static PyObject *get_item(PyObject *sequence, Py_ssize_t i)
{
    return PyList_CheckExact(sequence) ? PyList_GET_ITEM(sequence, i)
                                       : PyTuple_GET_ITEM(sequence, i);
}

/* A list or a tuple. Its size is looked at each time: the application may still hold the list. */
static enum sent send_sequence(struct response *r, PyObject *result)
{
    enum sent sent = SENT_MORE;

    if (Py_SIZE(result) == 1)
        return send_single(r, get_item(result, 0), result);
    for (Py_ssize_t i = 0; sent == SENT_MORE && i < Py_SIZE(result); i++) {
        PyObject *item = Py_NewRef(get_item(result, i));

        sent = send_item(r, item, result);
        Py_DECREF(item);
    }
    return sent;
}

static enum sent send_iterable(struct response *r, PyObject *result)
{
    PyObject *iterator = PyObject_GetIter(result), *item = NULL;
    enum sent sent = SENT_MORE;

    if (!iterator)
        return SENT_ERROR;
    while (sent == SENT_MORE && (item = PyIter_Next(iterator))) {
        sent = send_item(r, item, result);
        Py_DECREF(item);
    }
    Py_DECREF(iterator);
    return sent == SENT_MORE && PyErr_Occurred() ? SENT_ERROR : sent;
}

/* A file from where it stands, at most the Content-Length. */
static enum sent send_file(struct response *r, int fd, uint64_t offset, uint64_t len)
{
    if (!r->has_head)
        return raise_no_head();
    if (r->content_length != NO_CONTENT_LENGTH && len > r->content_length - r->sent)
        len = r->content_length - r->sent;
    return len > 0 ? to_sent(r, response_write_file(r, fd, offset, len)) : SENT_MORE;
}

/* Sends the body @result and ends the answer. Returns 0, or -1 with an exception set. */
static int send_result(struct response *r, PyObject *result)
{
    uint64_t offset = 0, len = 0;
    enum sent sent;
    int fd = -1;

    if (PyList_CheckExact(result) || PyTuple_CheckExact(result))
        sent = send_sequence(r, result);
    else if (filewrapper_is_file(result, &fd, &offset, &len))
        sent = send_file(r, fd, offset, len);
    else
        sent = send_iterable(r, result);
    if (sent == SENT_MORE && !r->has_head)
        sent = raise_no_head();
    if (sent == SENT_ERROR)
        return -1;
    if (!r->ended)
        (void)response_end(r, NULL, 0); /* nothing is left to do for a client that has gone */
    return 0;
}

/* Calls close() of @result, if it has one (PEP 3333: however the request ended). */
static void close_result(const struct response *r, PyObject *result)
{
    PyObject *method = NULL, *value = NULL;

    if (PyList_CheckExact(result) || PyTuple_CheckExact(result))
        return;
    method = PyObject_GetAttr(result, close_name);
    if (!method && PyErr_ExceptionMatches(PyExc_AttributeError)) {
        PyErr_Clear();
        return;
    }
    if (method)
        value = PyObject_CallNoArgs(method);
    if (!value)
        log_exception(r);
    Py_XDECREF(value);
    Py_XDECREF(method);
}

/* Runs the application; all references that it was given are dropped on return. */
static void run(struct response *r, PyObject *input, PyObject *start_response)
{
    PyObject *args[3] = {NULL, NULL, start_response};
    PyObject *result = NULL;

    args[1] = environ_new(r->req, input);
    if (args[1])
        result =
            PyObject_Vectorcall(r->req->app, args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    if (!result || send_result(r, result) < 0)
        fail(r);
    if (result)
        close_result(r, result);
    Py_XDECREF(result);
    Py_XDECREF(args[1]);
}

void wsgi_call(struct liege_request *req)
{
    struct response r = {.req = req, .content_length = NO_CONTENT_LENGTH};
    PyObject *input = input_open(req);
    PyObject *start_response = response_open(&r);

    interp_unsettle();
    if (input && start_response)
        run(&r, input, start_response);
    else
        fail(&r);
    errors_flush();
    if (start_response)
        response_close(start_response);
    response_expel_writers(&r);
    if (input)
        input_close(input);
}
