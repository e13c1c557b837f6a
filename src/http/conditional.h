/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "liege/app.h"

/* Conditional requests (RFC 9110 section 13). */

/* What identifies the representation that would be sent. */
struct http_validators {
    struct liege_str etag; /* strong: "\"xyz\"" */
    time_t last_modified;
    time_t now;
};

enum http_condition {
    HTTP_CONDITION_GO_ON,        /* answer as without conditions */
    HTTP_CONDITION_NOT_MODIFIED, /* 304 */
    HTTP_CONDITION_FAILED,       /* 412 */
};

/* Evaluates If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since in the order of
 * section 13.2.2. To be asked for GET and HEAD, and only where the answer would be a success. */
enum http_condition http_condition_evaluate(const struct liege_field *fields, size_t n_fields,
                                            const struct http_validators *v);

/* Section 13.1.5: true if there is no If-Range, or one that names this representation, so that
 * Range counts. A date must be the very one, and old enough to be a strong validator (section
 * 8.8.2.2). */
bool http_condition_if_range(const struct liege_field *fields, size_t n_fields,
                             const struct http_validators *v);

/* True if @etag, a strong entity tag with its quotes, is in the list @value, or @value is "*".
 * @weak: a weak tag of the list counts as well (section 8.8.3.2). What follows something malformed
 * is not looked at. */
bool http_etag_in_list(struct liege_str value, struct liege_str etag, bool weak);
