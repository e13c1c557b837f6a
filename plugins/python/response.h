/* SPDX-License-Identifier: MIT */
#pragma once

#include <Python.h>

#include <stdbool.h>

#include "liege/app.h"

#define NO_CONTENT_LENGTH UINT64_MAX

/* The answer to one request while the application runs. Lives on the stack of the call. */
struct response {
    struct liege_request *req;
    uint64_t content_length; /* that the application gave, or NO_CONTENT_LENGTH */
    uint64_t sent;           /* bytes of the body that the host has taken */
    bool has_head;           /* start_response() was called and the host has the head */
    bool ended;              /* the host has the end of the body */
    unsigned n_writing;      /* threads in write() */
    int error;               /* why the client cannot be reached any more (negative errno), or 0 */
};

/* The callable for the application, a new reference, or NULL with an exception set. */
PyObject *response_open(struct response *r);

/* Takes back what response_open() gave. What the application has kept of it (start_response, write)
 * raises an exception from now on. */
void response_close(PyObject *start_response);

/* The call is over: waits until threads of the application that write, if there are any, have given
 * up, for @r and its request end now. */
void response_expel_writers(struct response *r);

/* Sends bytes of the body. Returns 0; -EOVERFLOW, when that is more than the Content-Length; or
 * another negative errno, which is kept in @r and is the answer to each further call. */
int response_write(struct response *r, const char *data, size_t len);

/* Sends @len bytes of the file @fd from @offset on; as response_write(). */
int response_write_file(struct response *r, int fd, uint64_t offset, uint64_t len);

/* Ends the answer with a last piece, @len may be 0; as response_write(). */
int response_end(struct response *r, const char *data, size_t len);

/* Readies the types. Returns 0, or -1 with an exception set. */
int response_init(void);
