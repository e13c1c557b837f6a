/* SPDX-License-Identifier: MIT */

/* From the arguments of start_response() to the head of a response. The strings are not copied:
 * Python keeps characters up to U+00FF a byte each, which is ISO 8859-1, and that is what PEP 3333
 * wants on the wire; a string of another kind has a character that cannot be sent. The host copies
 * the head before start() returns, and no Python code runs meanwhile, so borrowed pointers do.
 * Characters that do not belong into a field are the host's to refuse. Called by response.c. */

#include "head.h"

#include <strings.h>

#include "host.h"

#define N_STACK_FIELDS 48 /* more than that is allocated */

/* Points @ret to the bytes of the str @object. @what and @index name it in the exception. */
static int view_text(PyObject *object, const char *what, Py_ssize_t index, struct liege_str *ret)
{
    if (!PyUnicode_Check(object)) {
        PyErr_Format(PyExc_TypeError, "start_response(): %s %zd is a %.100s, not a str", what,
                     index, Py_TYPE(object)->tp_name);
        return -1;
    }
    if (PyUnicode_KIND(object) != PyUnicode_1BYTE_KIND) {
        PyErr_Format(PyExc_ValueError,
                     "start_response(): %s %zd has a character outside of ISO 8859-1: %A", what,
                     index, object);
        return -1;
    }
    ret->data = (const char *)PyUnicode_1BYTE_DATA(object);
    ret->len = (size_t)PyUnicode_GET_LENGTH(object);
    return 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "200 OK", "404 Not Found", "299 "; a bare "200" is let through. */
static int parse_status(PyObject *object, struct liege_head *head)
{
    struct liege_str text = {0};

    if (view_text(object, "status", 0, &text) < 0)
        return -1;
    if (text.len >= 3 && is_digit(text.data[0]) && is_digit(text.data[1]) &&
        is_digit(text.data[2]) && (text.len == 3 || text.data[3] == ' '))
        head->status =
            (text.data[0] - '0') * 100 + (text.data[1] - '0') * 10 + (text.data[2] - '0');
    if (head->status < 200 || head->status > 599) {
        PyErr_Format(PyExc_ValueError,
                     "start_response(): status %R is not of the form \"200 OK\", 200 to 599",
                     object);
        return -1;
    }
    if (text.len > 4)
        head->reason = (struct liege_str){.data = text.data + 4, .len = text.len - 4};
    return 0;
}

/* The number in @text, or NO_CONTENT_LENGTH when it is none: the host refuses such a head. */
static uint64_t parse_length(const struct liege_str *text)
{
    uint64_t n = 0;

    if (text->len == 0 || text->len > 18) /* 18 digits cannot overflow */
        return NO_CONTENT_LENGTH;
    for (size_t i = 0; i < text->len; i++) {
        if (!is_digit(text->data[i]))
            return NO_CONTENT_LENGTH;
        n = n * 10 + (uint64_t)(text->data[i] - '0');
    }
    return n;
}

/* Points @f to the strings of @pair, which is header @index. */
static int view_field(PyObject *pair, Py_ssize_t index, struct liege_field *f)
{
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        PyErr_Format(PyExc_TypeError,
                     "start_response(): header %zd is not a tuple of name and value: %R", index,
                     pair);
        return -1;
    }
    f->id = LIEGE_FIELD_OTHER;
    if (view_text(PyTuple_GET_ITEM(pair, 0), "name of header", index, &f->name) < 0)
        return -1;
    return view_text(PyTuple_GET_ITEM(pair, 1), "value of header", index, &f->value);
}

/* Fills @fields from the pairs of @headers and *@ret_length from a Content-Length among them. */
static int view_fields(PyObject *headers, struct liege_field *fields, uint64_t *ret_length)
{
    static const char length_name[] = "content-length";

    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(headers); i++) {
        struct liege_field *f = &fields[i];

        if (view_field(PyList_GET_ITEM(headers, i), i, f) < 0)
            return -1;
        if (f->name.len == sizeof(length_name) - 1 &&
            strncasecmp(f->name.data, length_name, f->name.len) == 0)
            *ret_length = parse_length(&f->value);
    }
    return 0;
}

static int give_head(struct response *r, const struct liege_head *head, uint64_t length)
{
    int error = python_host->respond->start(r->req, head);

    if (error == -EINVAL) {
        PyErr_SetString(PyExc_ValueError, "start_response(): the status or a header cannot be "
                                          "sent; the log says which and why");
        return -1;
    }
    if (error < 0) {
        errno = -error;
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    r->has_head = true;
    r->content_length = length;
    return 0;
}

int head_start(struct response *r, PyObject *status, PyObject *headers)
{
    struct liege_field on_stack[N_STACK_FIELDS];
    struct liege_field *fields = on_stack;
    struct liege_head head = {0};
    uint64_t length = NO_CONTENT_LENGTH;
    int result = -1;

    if (parse_status(status, &head) < 0)
        return -1;
    if (!PyList_Check(headers)) {
        PyErr_Format(PyExc_TypeError, "start_response(): the headers are a %.100s, not a list",
                     Py_TYPE(headers)->tp_name);
        return -1;
    }
    head.n_fields = (size_t)PyList_GET_SIZE(headers);
    if (head.n_fields > N_STACK_FIELDS)
        fields = PyMem_New(struct liege_field, head.n_fields);
    if (!fields) {
        PyErr_NoMemory();
        return -1;
    }
    head.fields = fields;
    if (view_fields(headers, fields, &length) == 0)
        result = give_head(r, &head, length);
    if (fields != on_stack)
        PyMem_Free(fields);
    return result;
}
