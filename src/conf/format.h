/* SPDX-License-Identifier: MIT */
#pragma once

#include "conf/line.h"

/* A format of configuration files, as one ending of their names says it. */
struct format {
    const char *ending; /* ".yml" */
    const char *option; /* reads a file in this format, whatever its name is: "yaml" */
    conf_parse_fn *parse;
};

/* The format that the ending of @name says, or NULL. */
const struct format *format_of_name(const char *name);

/* The format that the option @option reads, or NULL. */
const struct format *format_of_option(const char *option);

/* Writes the endings of all formats, ".ini .yaml", and returns @text. */
const char *format_endings(char *text, size_t size);
