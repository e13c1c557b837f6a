/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"
#include "http/text.h"
#include "liege/app.h"

struct arena;

/* Field names and values (RFC 9110 section 5). Nothing here logs. */

/* The id of a name, in any case; LIEGE_FIELD_OTHER for one without an id. */
enum liege_field_id http_field_id(const char *name, size_t len);

/* "accept" and "HTTP_ACCEPT" of an id other than LIEGE_FIELD_OTHER; static strings. */
const char *http_field_name(enum liege_field_id id);
const char *http_field_key(enum liege_field_id id);

/* The value of the field @id (other than LIEGE_FIELD_OTHER); its data is NULL if there is none. */
struct liege_str http_field_get(const struct liege_field *fields, size_t n, enum liege_field_id id);

/* Writes the CGI key of a name that has no id, "HTTP_X_FOO" for "x-foo" (RFC 3875 section 4.1.18),
 * with a terminator. Returns its length, or -ENAMETOOLONG when @size is too small for it. */
ssize_t http_field_make_key(struct liege_str name, char *out, size_t size) _must_check_;

/* Reads a Content-Length: digits and nothing else (RFC 9110 section 8.6). Returns 0, -EINVAL, or
 * -ERANGE for more than INT64_MAX or more than 19 digits. */
int http_length_parse(struct liege_str value, uint64_t *ret) _must_check_;

/* Takes the next element of a comma-separated list off @rest; empty elements are skipped (RFC 9110
 * section 5.6.1). False at the end. Quoted strings are not understood. */
bool http_list_next(struct liege_str *rest, struct liege_str *ret_item);

/* True if @word is an element of the list @value, in any case. */
bool http_list_has(struct liege_str value, const char *word);

/* Makes of the fields as they came those that an application may see, in place: without
 * Content-Length and Transfer-Encoding (the request says the length), without Proxy (its key would
 * be HTTP_PROXY), without names that have an underscore (they would become the key of another
 * name), and with the values of equal names joined in @arena: by "; " for Cookie, else by ", " (RFC
 * 9110 section 5.3, RFC 9113 section 8.2.3). Ids must be set. Returns how many are left;
 * *@ret_n_dropped (may be NULL) counts the underscores. */
size_t http_fields_merge(struct liege_field *fields, size_t n, struct arena *arena,
                         size_t *ret_n_dropped);
