/* SPDX-License-Identifier: MIT */
/* Which program serves: ours, or the one that the configuration names. Called by main.c. */
#include "cli/program.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/libexec.h"

static int find_wanted(const char *wanted, char **ret, struct errmsg *err)
{
    char cwd[PATH_MAX] = "";
    _cleanup_free_ char *path = NULL;

    if (wanted[0] != '/' && !getcwd(cwd, sizeof(cwd)))
        return errmsg_set_errno(err, -errno, "binary-path = %s", wanted);
    if (asprintf(&path, "%s%s%s", cwd, cwd[0] ? "/" : "", wanted) < 0) {
        path = NULL;
        return errmsg_set_errno(err, -ENOMEM, "binary-path = %s", wanted);
    }
    if (access(path, X_OK) < 0)
        return errmsg_set_errno(err, -errno, "binary-path = %s: cannot be run", wanted);
    *ret = TAKE_PTR(path);
    return 0;
}

int program_find(const char *wanted, char **ret, struct errmsg *err)
{
    if (wanted)
        return find_wanted(wanted, ret, err);
    return libexec_find("liege-instance", ret, err);
}
