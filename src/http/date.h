/* SPDX-License-Identifier: MIT */
#pragma once

#include <time.h>

#include "base/macro.h"
#include "liege/app.h"

#define HTTP_DATE_LEN 29

/* The current date as a response says it, written anew once a second. All zero is a valid start. */
struct http_date {
    time_t second;
    char text[HTTP_DATE_LEN + 1];
};

/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7) for @now, seconds since 1970 (years 1 to
 * 9999), HTTP_DATE_LEN characters and a terminator. It stands in @date until the next call. */
const char *http_date_at(struct http_date *date, time_t now);

/* Reads a date in any of the three formats that a recipient must accept (RFC 9110 section 5.6.7):
 * IMF-fixdate, RFC 850's (its two-digit year is the one nearest to @now, at most 50 years ahead)
 * and asctime's. The name of the day is not compared with the date. Returns 0, or -EINVAL for
 * anything else; seconds since 1970 in *@ret. */
int http_date_parse(struct liege_str text, time_t now, time_t *ret) _must_check_;
