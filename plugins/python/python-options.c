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
    { "module", "wsgi w", LIEGE_OPTION_STRING, LIEGE_OPTION_APP, FIELD(module), 0, 0, NULL,
      "MODULE[:CALLABLE]",
      "WSGI application in an importable module; CALLABLE may be a.b or factory(arguments)" },
    { "wsgi-file", "file", LIEGE_OPTION_STRING, LIEGE_OPTION_APP, FIELD(wsgi_file), 0, 0, NULL,
      "FILE", "WSGI application in a file of Python code" },
    { "callable", "", LIEGE_OPTION_STRING, 0, FIELD(callable), 0, 0, NULL, "NAME",
      "application's name in the module or file; without it \"application\", else \"app\"" },
    { "pythonpath", "pp", LIEGE_OPTION_LIST, 0, FIELD(pythonpath), 0, 0, NULL, "DIRECTORY",
      "where modules are looked for first, then in the working directory; a glob is allowed" },
    { "virtualenv", "home venv pyhome H", LIEGE_OPTION_STRING, 0, FIELD(virtualenv), 0, 0, NULL,
      "DIRECTORY", "virtual environment whose packages the application uses" },
    { "pyargv", "", LIEGE_OPTION_STRING, 0, FIELD(pyargv), 0, 0, NULL, "ARGUMENTS",
      "sys.argv after its first item, separated by blanks" },
    { "optimize", "O", LIEGE_OPTION_UINT, 0, FIELD(optimize), 0, 2, "0", "LEVEL",
      "1 compiles without assertions, 2 without docstrings too" },
    { "no-site", "", LIEGE_OPTION_FLAG, 0, FIELD(no_site), 0, 0, NULL, NULL,
      "do not import the site module at start" },

    { "enable-threads", "", LIEGE_OPTION_ALWAYS, 0, 0, 0, 0, NULL, NULL,
      "threads of the application run" },
    { "single-interpreter", "", LIEGE_OPTION_ALWAYS, 0, 0, 0, 0, NULL, NULL,
      "applications run in the main interpreter" },
    { "py-call-osafterfork", "", LIEGE_OPTION_ALWAYS, 0, 0, 0, 0, NULL, NULL,
      "Python's fork hooks run around each fork" },
    { "wsgi-strict", "", LIEGE_OPTION_ALWAYS, 0, 0, 0, 0, NULL, NULL,
      "start_response() is checked as PEP 3333 demands" },
};
/* clang-format on */

const struct liege_plugin_info python_plugin_info = {
    .name = "python",
    .suffixes = ".py .wsgi",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .conf_size = sizeof(struct python_conf),
};
