/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/errmsg.h"

/* What a line says. Strings point into the text. */
struct ini_line {
    const char *section; /* "" before the first section line */
    const char *key;     /* NULL: this line starts @section */
    const char *value;   /* "" when there is none */
    unsigned number;     /* from 1 */
};

/* Returns 0, or a negative errno that ends the parsing, with @err complete. */
typedef int ini_line_fn(void *userdata, const struct ini_line *line, struct errmsg *err);

/* Calls @fn for every section line and every setting of @text, which has @len bytes and then a
 * terminator, and is changed. @file is for messages. Returns 0, what @fn returned, or -EINVAL with
 * @err ("app.ini:3: ..."). */
int ini_parse(const char *file, char *text, size_t len, ini_line_fn *fn, void *userdata,
              struct errmsg *err) _must_check_;
