/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"

/* What a client of the control socket asks for: one line with a JSON object. */
struct control_request {
    char command[32];
    char vassal[512]; /* its name; "all"; "": none was given */
    unsigned lines;   /* of the log, from its end */
    bool follow;      /* the log: further lines as they come */
    bool wait;        /* until it is known how it went */
    bool memory;      /* status: measured anew */
    char socket[512]; /* of a configuration that is added, if it runs on demand */
    size_t bytes;     /* of its text, which follow the line */
};

#define CONTROL_VERSION    1
#define CONTROL_LINE_BYTES ((size_t)64 << 10) /* of a request, with its newline */
#define CONTROL_LOG_LINES  1000000
#define CONTROL_TEXT_BYTES ((size_t)64 << 20) /* of a configuration */

/* Reads line[0 .. len). Returns 0, or -EINVAL (another negative errno) with @err. */
int control_request_parse(const char *line, size_t len, struct control_request *ret,
                          struct errmsg *err) _must_check_;
