/* SPDX-License-Identifier: MIT */
#pragma once

#include "liege/app.h"

struct static_site;

enum static_result {
    STATIC_NOT_MINE, /* nothing was said: the request is the application's */
    STATIC_SERVED,   /* the answer is complete, or has failed */
};

/* Answers @req through @respond if it is for a static file of @site (NULL: none). To be called with
 * the whole path in @req->path. A file that nothing is known of is the application's business: so
 * is a path that leads elsewhere, and a file that may not be read, which are logged. */
enum static_result static_serve(struct static_site *site, const struct liege_respond *respond,
                                struct liege_request *req);
