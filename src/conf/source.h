/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/errmsg.h"
#include "base/macro.h"

/* Reads the text that @uri names: a path, relative to @cwd, or file://PATH. *@ret_text is
 * allocated and terminated. Returns 0, or a
 * negative errno with @err naming @uri: -EFBIG over @max bytes, -EPROTONOSUPPORT for another
 * scheme. */
int source_read(const char *cwd, const char *uri, size_t max, char **ret_text, size_t *ret_len,
                struct errmsg *err) _must_check_;

/* The absolute path of the file @uri as it is shown to users: the folder without symbolic links,
 * the name as it was given, so that a link keeps its own name. Returns 0 or as source_read(). */
int source_path(const char *cwd, const char *uri, char **ret, struct errmsg *err) _must_check_;

/* Splits "file.ini:section" in place at the last ':' after the last '/'. Returns the section, or
 * NULL if none was given. */
char *source_split_section(char *spec);
