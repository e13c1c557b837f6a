/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"

/* The tables that a program was given, and conf's own beside them. */
struct lookup {
    const struct conf_table *tables;
    size_t n_tables;
};

struct option_name {
    const char *text; /* not terminated */
    size_t len;
};

/* Walks the names of @row: its name, then its aliases. Start with *@pos = NULL; false at the end.
 */
bool option_next_name(const struct liege_option *row, const char **pos, struct option_name *ret);

/* True if @name is the name or an alias (of more than one letter) of @row. */
bool option_has_name(const struct liege_option *row, const char *name);

/* True if a value must follow: flags never take the next word. */
bool option_wants_value(const struct liege_option *row);

/* The row called @name exactly, in the tables or in conf's own, or NULL. */
const struct liege_option *lookup_exact(const struct lookup *l, const char *name);

/* The row with the alias @letter, or NULL. */
const struct liege_option *lookup_short(const struct lookup *l, char letter);

/* The row of which name[0 .. len) is the start of one of the names, or NULL if there is none or
 * more than one row; *@ret_candidates then takes their names, for a message. */
const struct liege_option *lookup_prefix(const struct lookup *l, const char *name, size_t len,
                                         char *ret_candidates, size_t size);

/* Writes " (did you mean 'NAME'?)", or nothing if no name is near, and returns @text. @dashes ("--"
 * or "") go before NAME. */
const char *lookup_suggest(const struct lookup *l, const char *dashes, const char *name, char *text,
                           size_t size);
