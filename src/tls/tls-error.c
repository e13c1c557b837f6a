/* SPDX-License-Identifier: MIT */
/* Causes of failures, out of OpenSSL's queue. The first entry is the origin, the later ones are its
 * consequences. */
#include "tls/tls-error.h"

#include <openssl/err.h>
#include <stdio.h>

const char *tls_error_take(char *text, size_t size)
{
    unsigned long code = ERR_peek_error();
    const char *reason = NULL;

    if (code != 0 && ERR_SYSTEM_ERROR(code))
        (void)snprintf(text, size, "system error %d", ERR_GET_REASON(code));
    else if (code != 0 && (reason = ERR_reason_error_string(code)))
        (void)snprintf(text, size, "%s", reason);
    else if (code != 0)
        (void)snprintf(text, size, "error %lx", code);
    else
        (void)snprintf(text, size, "unknown cause");
    ERR_clear_error();
    return text;
}
