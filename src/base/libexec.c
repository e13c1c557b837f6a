/* SPDX-License-Identifier: MIT */
/* Where our other programs are, seen from bin or from libexec. A tree runs from wherever it was
 * built or installed: everything is looked for relative to the program that runs. */
#include "base/libexec.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strv.h"

static const char *const places[] = {"", "../libexec/liege/", "../../bin/"};

static int find_self(char self[PATH_MAX], struct errmsg *err)
{
    static const char gone[] = " (deleted)"; /* the kernel says so of a file that was replaced */
    ssize_t n = readlink("/proc/self/exe", self, PATH_MAX - 1);

    if (n < 0)
        return errmsg_set_errno(err, -errno, "cannot find this program: /proc/self/exe");
    self[n] = '\0';
    if (str_ends(self, gone))
        self[(size_t)n - strlen(gone)] = '\0';
    return 0;
}

int libexec_self(char **ret, struct errmsg *err)
{
    char self[PATH_MAX];
    int r = find_self(self, err);

    if (r < 0)
        return r;
    *ret = strdup(self);
    return *ret ? 0 : errmsg_set_errno(err, -ENOMEM, "cannot find this program");
}

int libexec_find(const char *name, char **ret, struct errmsg *err)
{
    char self[PATH_MAX];
    int r = find_self(self, err);

    if (r < 0)
        return r;
    *strrchr(self, '/') = '\0'; /* the kernel's path is absolute */

    for (size_t i = 0; i < COUNT_OF(places); i++) {
        char *path = NULL;
        if (asprintf(&path, "%s/%s%s", self, places[i], name) < 0)
            return errmsg_set_errno(err, -ENOMEM, "cannot find %s", name);
        if (access(path, X_OK) == 0) {
            *ret = path;
            return 0;
        }
        free(path);
    }
    return errmsg_set(err, -ENOENT, "there is no %s in %s, nor in %s/../libexec/liege", name, self,
                      self);
}
