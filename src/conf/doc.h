/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "conf/conf.h"

/* Everything that is written about options comes from the tables. conf's own table is added by the
 * caller, wherever it is to stand. Each appends to @out and returns 0 or -ENOMEM. */

/* --help: each table under its title, wrapped at 80 columns. */
int doc_help(const struct conf_table *tables, size_t n_tables, struct buf *out) _must_check_;

/* docs/options.md: a heading and a table of options for each table. */
int doc_markdown(const struct conf_table *tables, size_t n_tables, struct buf *out) _must_check_;

/* The OPTIONS section of a manual page, in man(7) macros. */
int doc_roff(const struct conf_table *tables, size_t n_tables, struct buf *out) _must_check_;

/* Every option as it is typed, "--name" or "-x", a line each, for the shell's completion. */
int doc_words(const struct conf_table *tables, size_t n_tables, struct buf *out) _must_check_;
