/* SPDX-License-Identifier: MIT */
/* Sentences for operators. Nothing here allocates or logs: the caller's buffer takes the text, and
 * the first function on the way up that knows the subject (which vassal, which file) logs it. */
#include "base/errmsg.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int errmsg_set(struct errmsg *err, int code, const char *fmt, ...)
{
    if (!err)
        return code;

    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);
    return code;
}

int errmsg_set_errno(struct errmsg *err, int code, const char *fmt, ...)
{
    if (!err)
        return code;

    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);

    size_t used = strlen(err->text);
    (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(-code));
    return code;
}

int errmsg_prefix(struct errmsg *err, int code, const char *fmt, ...)
{
    if (!err)
        return code;

    struct errmsg old = *err;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(err->text, sizeof(err->text), fmt, ap);
    va_end(ap);

    size_t used = strlen(err->text);
    (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", old.text);
    return code;
}
