/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/hash.h"
#include "base/macro.h"

/* Media types by the end of a file's name. All zero is a table that knows only the types that are
 * built in. */
struct http_mime {
    struct hash by_extension;
    struct http_mime_entry *entries; /* owned, linked */
};

void http_mime_done(struct http_mime *m);

/* Adds the types of @text, which is like /etc/mime.types: a type and its extensions a line, '#'
 * begins a comment. Of an extension that is added twice the first counts; what is added counts
 * before what is built in if @over, else after it. A line that is malformed is passed over. Returns
 * 0 or -ENOMEM. */
int http_mime_add(struct http_mime *m, const char *text, size_t len, bool over) _must_check_;

/* The type of a file called @name (a path may stand before it), by its last extension in any case;
 * "application/octet-stream" for one that is unknown. The string is the table's or static. */
const char *http_mime_type(const struct http_mime *m, const char *name);
