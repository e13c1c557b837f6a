/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"
#include "liege/option.h"

/* Helpers for struct liege_list, an owned array of owned strings that ends with NULL (so that
 * items can serve as an argv). All zero is an empty one. */

int strv_append(struct liege_list *l, const char *text) _must_check_;
int strv_appendf(struct liege_list *l, const char *fmt, ...) _printf_(2, 3) _must_check_;
/* Appends a copy of each of @strings, up to NULL. */
int strv_copy(struct liege_list *l, const char *const *strings) _must_check_;
/* Appends copies of all that is in @other. */
int strv_join(struct liege_list *l, const struct liege_list *other) _must_check_;
bool strv_contains(const struct liege_list *l, const char *text);
bool strv_equal(const struct liege_list *a, const struct liege_list *b);
void strv_done(struct liege_list *l);

bool str_starts(const char *text, const char *start);
bool str_ends(const char *text, const char *end);
