/* SPDX-License-Identifier: MIT */
#pragma once

#include <Python.h>

#include "liege/app.h"

/* Readies all that a request needs. Returns 0, or -1 with an exception set. */
int wsgi_init(void);

/* Calls the WSGI application req->app and answers the request, whatever the application does; an
 * exception goes to the log. Needs the GIL. */
void wsgi_call(struct liege_request *req);
