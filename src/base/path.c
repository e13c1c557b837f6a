/* SPDX-License-Identifier: MIT */
#include "base/path.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

char *path_make_absolute(const char *path)
{
    _cleanup_free_ char *cwd = NULL;
    char *absolute = NULL;

    if (*path == '/')
        return strdup(path);
    cwd = getcwd(NULL, 0);
    if (!cwd || asprintf(&absolute, "%s/%s", cwd, path) < 0)
        return NULL;
    return absolute;
}
