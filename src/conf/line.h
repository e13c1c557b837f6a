/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/errmsg.h"

/* What a line of a configuration says, in whatever format it is written. Strings belong to the
 * parser, and last for the call. */
struct conf_line {
    const char *section; /* "" before the first section line */
    const char *key;     /* NULL: this line starts @section */
    const char *value;   /* "" when there is none */
    const char *mode;    /* the line counts under `mode` of this name only; NULL: always */
    unsigned number;     /* from 1 */
    unsigned
        document; /* which YAML document, member of a JSON array or XML root it is in, from 0 */
};

/* Returns 0; 1 for a line that starts a section whose lines are not wanted, which the parser may
 * then skip unread; or a negative errno that ends the parsing, with @err complete. */
typedef int conf_line_fn(void *userdata, const struct conf_line *line, struct errmsg *err);

/* A format's parser: calls @fn for every section line and every setting of @text, which has @len
 * bytes and then a terminator, and may be changed. @file is for messages. Returns 0, what @fn
 * returned below 0, or a negative errno with @err ("app.ini:3: ..."). */
typedef int conf_parse_fn(const char *file, char *text, size_t len, conf_line_fn *fn,
                          void *userdata, struct errmsg *err);
