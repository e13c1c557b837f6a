/* SPDX-License-Identifier: MIT */
/* Finding what an Emperor has said in the environment of its vassal. */
#include "ipc/fdmap.h"

#include <string.h>

#include "base/macro.h"
#include "base/strv.h"

const char *vassal_env_find(const char *const *environ, const char *name)
{
    static const char *const prefixes[] = {"LIEGE_", "UWSGI_"};
    size_t len = strlen(name);

    for (size_t p = 0; p < COUNT_OF(prefixes); p++)
        for (const char *const *e = environ; *e; e++)
            if (str_starts(*e, prefixes[p]) && strncmp(*e + 6, name, len) == 0 &&
                (*e)[6 + len] == '=')
                return *e + 6 + len + 1;
    return NULL;
}
