/* SPDX-License-Identifier: MIT */

/* The plugin's side of the host: the pointer that start() was given, and the two ways to say
 * something to the operator, a line in the log and the sentence that goes with a failure.
 * Everything in the plugin uses these; nothing here calls into Python, so both work before the
 * interpreter runs and while it holds an exception. */

#include "host.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const struct liege_host *python_host;

void host_log(enum liege_log_level level, const char *fmt, ...)
{
    char text[2048] = "";
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    python_host->log(level, text, strlen(text));
}

int host_error(struct liege_error *err, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    return code;
}
