/* SPDX-License-Identifier: MIT */

/* The options of the Python plugin, one row each: names, type, range, default and help. The names
 * are uWSGI's. This file is linked into the plugin and, as plain data, into the programs of liege,
 * which never touch libpython: nothing in here may refer to it. The values go to struct
 * python_conf, which the host fills and hands to the plugin's start(). */

#include "python-conf.h"

#include <stddef.h>

#define FIELD(member) offsetof(struct python_conf, member)

/* clang-format off */
static const struct liege_option options[] = {
    { .name = "module", .aliases = "wsgi w", .type = LIEGE_OPTION_STRING,
      .flags = LIEGE_OPTION_APP, .offset = FIELD(module), .arg = "MODULE[:CALLABLE]",
      .help = "WSGI application in an importable module; CALLABLE may be a.b or "
              "factory(arguments)" },
    { .name = "wsgi-file", .aliases = "file", .type = LIEGE_OPTION_STRING,
      .flags = LIEGE_OPTION_APP, .offset = FIELD(wsgi_file), .arg = "FILE",
      .help = "WSGI application in a file of Python code" },
    { .name = "callable", .type = LIEGE_OPTION_STRING, .offset = FIELD(callable), .arg = "NAME",
      .help = "application's name in the module or file; without it \"application\", else "
              "\"app\"" },
    { .name = "pythonpath", .aliases = "pp", .type = LIEGE_OPTION_LIST,
      .offset = FIELD(pythonpath), .arg = "DIRECTORY",
      .help = "where modules are looked for first, then in the working directory; a glob is "
              "allowed" },
    { .name = "virtualenv", .aliases = "home venv pyhome H", .type = LIEGE_OPTION_STRING,
      .offset = FIELD(virtualenv), .arg = "DIRECTORY",
      .help = "virtual environment whose packages the application uses" },
    { .name = "pyargv", .type = LIEGE_OPTION_STRING, .offset = FIELD(pyargv), .arg = "ARGUMENTS",
      .help = "sys.argv after its first item, separated by blanks" },
    { .name = "optimize", .aliases = "O", .type = LIEGE_OPTION_UINT, .offset = FIELD(optimize),
      .max = 2, .dflt = "0", .arg = "LEVEL",
      .help = "1 compiles without assertions, 2 without docstrings too" },
    { .name = "no-site", .type = LIEGE_OPTION_FLAG, .offset = FIELD(no_site),
      .help = "do not import the site module at start" },

    { .name = "py-auto-reload",
      .aliases = "py-autoreload python-auto-reload python-autoreload",
      .type = LIEGE_OPTION_UINT, .offset = FIELD(auto_reload), .max = 86400, .dflt = "0",
      .arg = "N", .help = "reload when the file of an imported module changes (N > 0; at once, not "
                          "every N seconds): for development" },

    { .name = "early-python", .type = LIEGE_OPTION_FLAG, .flags = LIEGE_OPTION_EARLY,
      .offset = FIELD(early_python),
      .help = "start Python, also if no application of it is named" },
    { .name = "early-pythonpath", .aliases = "early-python-path", .type = LIEGE_OPTION_LIST,
      .flags = LIEGE_OPTION_EARLY, .offset = FIELD(early_pythonpath), .arg = "DIRECTORY",
      .help = "where modules are looked for after pythonpath; from the next early option on" },
    { .name = "early-pyimport", .aliases = "early-python-import", .type = LIEGE_OPTION_LIST,
      .flags = LIEGE_OPTION_EARLY, .offset = FIELD(early_pyimport), .arg = "MODULE",
      .help = "import a module before anything else" },
    { .name = "early-wsgi", .type = LIEGE_OPTION_LIST, .flags = LIEGE_OPTION_EARLY,
      .offset = FIELD(early_wsgi), .arg = "MODULE[:CALLABLE]",
      .help = "load a WSGI application (a file, too) before anything else; the first one of all "
              "early ones is served if no other is named" },

    { .name = "enable-threads", .type = LIEGE_OPTION_ALWAYS,
      .help = "threads of the application run" },
    { .name = "single-interpreter", .type = LIEGE_OPTION_ALWAYS,
      .help = "applications run in the main interpreter" },
    { .name = "py-call-osafterfork", .type = LIEGE_OPTION_ALWAYS,
      .help = "Python's fork hooks run in each process that is forked" },
    { .name = "wsgi-strict", .type = LIEGE_OPTION_ALWAYS,
      .help = "start_response() is checked as PEP 3333 demands" },
};
/* clang-format on */

const struct liege_plugin_info python_plugin_info = {
    .name = "python",
    .suffixes = ".py .wsgi",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .conf_size = sizeof(struct python_conf),
};
