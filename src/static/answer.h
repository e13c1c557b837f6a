/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "liege/app.h"

struct static_file;
struct static_place;
struct static_site;

/* Who answers which request with what. */
struct static_answer {
    const struct static_site *site;
    const struct static_place *place;
    const char *name; /* of the file, in the place */
    const struct liege_respond *respond;
    struct liege_request *req;
};

/* True for GET and HEAD. */
bool static_reads(const struct liege_request *req);

/* Sends the open file, or the compressed one beside it, or a part of it, or what the conditions of
 * the request make of it (RFC 9110 sections 13 and 14). The descriptor stays the caller's. */
void static_answer_file(const struct static_answer *a, const struct static_file *file);

/* 405: there is a file, and it is neither GET nor HEAD. */
void static_answer_not_allowed(const struct static_answer *a);

/* 301 to the same path with a slash at its end. */
void static_answer_redirect(const struct static_answer *a);
