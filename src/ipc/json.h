/* SPDX-License-Identifier: MIT */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Putting together JSON objects. All of these take NULL for @j, and leave a key out when memory
 * runs out: a document of statistics with a gap is better than none. */

void json_put_int(json_t *j, const char *key, uint64_t n);

/* 1 or 0, as uWSGI writes them. */
void json_put_flag(json_t *j, const char *key, bool on);

/* A time with its fraction, from microseconds. */
void json_put_time(json_t *j, const char *key, uint64_t us);
void json_put_text(json_t *j, const char *key, const char *text);

/* Names are bytes, a document is UTF-8: what is not gets question marks. */
json_t *json_text(const char *text);
