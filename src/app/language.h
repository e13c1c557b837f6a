/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "liege/plugin.h"

/* The languages that this build knows, as plain data: nothing is loaded to answer. */
struct language {
    const struct liege_plugin_info *info;
    const char *aliases;     /* what uWSGI calls it, separated by blanks */
    const char *file_option; /* takes a file of one of its suffixes */
    const char *title;       /* of its options in help and manual */
};
extern const struct language languages[];
extern const size_t n_languages;

/* Finds a known language by its name or alias: its index, or -ENOENT. */
int language_find(const char *name);

/* Finds the language that loads the file or module @source: by its suffix, else Python. */
int language_for_source(const char *source);
