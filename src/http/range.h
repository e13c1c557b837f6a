/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "liege/app.h"

/* Range requests (RFC 9110 section 14). */

#define HTTP_RANGES_MAX 16

/* Bytes @first to @first + @len - 1 of a representation; @len > 0. */
struct http_range {
    uint64_t first, len;
};

struct http_ranges {
    struct http_range items[HTTP_RANGES_MAX];
    size_t n_items;
    uint64_t total; /* bytes of all */
};

enum http_range_result {
    HTTP_RANGE_IGNORE,        /* answer as if there were no Range */
    HTTP_RANGE_PARTS,         /* 206 with the parts that were found: one or more */
    HTTP_RANGE_UNSATISFIABLE, /* 416 with "Content-Range: bytes *" and the length */
};

/* Reads the value of Range for a representation of @size bytes. Parts that lie outside are left out
 * and those that end beyond it are cut. Ignored are: other units than bytes, what is malformed,
 * more than HTTP_RANGES_MAX parts, parts that overlap (section 14.2 allows it: they serve nobody
 * but an attacker), and all of it for an empty representation. *@ret is set for HTTP_RANGE_PARTS
 * only. */
enum http_range_result http_range_parse(struct liege_str value, uint64_t size,
                                        struct http_ranges *ret);
