/* SPDX-License-Identifier: MIT */
#pragma once

#include "liege/app.h"

/* Content codings (RFC 9110 sections 8.4 and 12.5.3). */

#define HTTP_QUALITY_MAX 1000

/* How much a client that sent @accept_encoding (its data is NULL if it sent none) likes @coding
 * ("gzip", "br", "identity"; lower case): 0 for not at all, up to HTTP_QUALITY_MAX. Without the
 * field only identity is liked, although the client would have to take anything: who says nothing
 * can seldom decode. "x-gzip" is gzip. A member whose weight is malformed is as if it were not
 * there.
 */
unsigned http_coding_quality(struct liege_str accept_encoding, const char *coding);
