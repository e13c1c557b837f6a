/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "liege/plugin.h"

/* What the options of the Python plugin fill. Data only: the programs link the rows without Python,
 * to check configurations and to print the help. */
struct python_conf {
    char *module;    /* "package.module" or "package.module:callable" */
    char *wsgi_file; /* path of a file that defines the application */
    char *callable;  /* what to take from the module or the file; NULL: the usual names */
    struct liege_list pythonpath;
    char *virtualenv; /* folder; NULL: the system's Python */
    char *pyargv;     /* sys.argv[1:], separated by blanks */
    uint64_t optimize;
    bool no_site;
    uint64_t auto_reload; /* 0: no */
    bool early_python;
    struct liege_list early_pyimport, early_pythonpath, early_wsgi; /* see early.c */
};

extern const struct liege_plugin_info python_plugin_info;
