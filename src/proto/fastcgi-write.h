/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

struct buf;

/* Records of FastCGI 1.0 (sections 3.3 and 8 of its specification), written. */

#define FASTCGI_VERSION     1
#define FASTCGI_HEAD_LEN    8
#define FASTCGI_MAX_CONTENT 65535
#define FASTCGI_END_LEN     16 /* of an END_REQUEST record */

enum fastcgi_type {
    FASTCGI_BEGIN_REQUEST = 1,
    FASTCGI_ABORT_REQUEST,
    FASTCGI_END_REQUEST,
    FASTCGI_PARAMS,
    FASTCGI_STDIN,
    FASTCGI_STDOUT,
    FASTCGI_STDERR,
    FASTCGI_DATA,
    FASTCGI_GET_VALUES,
    FASTCGI_GET_VALUES_RESULT,
    FASTCGI_UNKNOWN_TYPE,
};

/* Of END_REQUEST: what became of the request. */
enum fastcgi_end {
    FASTCGI_REQUEST_COMPLETE,
    FASTCGI_CANT_MPX_CONN, /* one request at a time on a connection */
    FASTCGI_OVERLOADED,
    FASTCGI_UNKNOWN_ROLE,
};

/* Writes the head of a record with @len bytes of content, at most FASTCGI_MAX_CONTENT, and no
 * padding. */
void fastcgi_put_head(char out[FASTCGI_HEAD_LEN], enum fastcgi_type type, uint16_t id, size_t len);

/* Writes an END_REQUEST record; the application's exit status in it is 0. */
void fastcgi_put_end(char out[FASTCGI_END_LEN], uint16_t id, enum fastcgi_end end);

/* Makes the bytes of @buf from @at on (counted from the front) STDOUT records of the request @id;
 * with @last also writes what ends the answer: an empty STDOUT and END_REQUEST. Returns 0 or
 * -ENOMEM; the buffer is as it was then. */
int fastcgi_wrap(struct buf *buf, size_t at, uint16_t id, bool last) _must_check_;
