/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

/* OpenSSL's queue of errors (ERR_get_error(3)), which belongs to the thread and is shared with
 * whatever else in the process uses OpenSSL, the application too: it is emptied before each
 * operation, so that what is found afterwards is ours, and afterwards, so that nobody else finds
 * it. */

/* Puts the cause of the last failure, "wrong version number", into @text and empties the queue.
 * "unknown cause" if there is none. Returns @text. */
const char *tls_error_take(char *text, size_t size);
