/* SPDX-License-Identifier: MIT */
/* Where texts come from: configuration files, and what stands in @(...).
 *
 * A source is written as a path or as SCHEME://REST. Relative paths start in the directory that the
 * load was given, never in that of the including file: a vassal's paths start in the vassals'
 * directory, as in uWSGI. */
#include "conf/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/strv.h"
#include "conf/settings.h"

/* Finds the path in @uri. */
static int find_path(const char *uri, const char **ret, struct errmsg *err)
{
    static const char file_scheme[] = "file://";
    const char *path = str_starts(uri, file_scheme) ? uri + sizeof(file_scheme) - 1 : uri;
    const char *colon = strstr(path, "://");
    struct shown shown;

    if (colon && strcspn(path, "/.") > (size_t)(colon - path))
        return errmsg_set(err, -EPROTONOSUPPORT, "'%s': this kind of source is not supported yet",
                          setting_shown(uri, &shown));
    if (strcmp(path, "-") == 0)
        return errmsg_set(err, -EPROTONOSUPPORT, "'-': standard input is not supported yet");
    if (*path == '\0')
        return errmsg_set(err, -EINVAL, "a file name is missing");
    *ret = path;
    return 0;
}

int source_read(const char *cwd, const char *uri, size_t max, char **ret_text, size_t *ret_len,
                struct errmsg *err)
{
    _cleanup_free_ char *full = NULL;
    const char *path = uri;
    struct shown shown;
    int r = find_path(uri, &path, err);

    if (r < 0)
        return r;
    if (asprintf(&full, "%s/%s", *path == '/' ? "" : cwd, path) < 0)
        return -ENOMEM;
    r = file_read_all(full, max, ret_text, ret_len);
    if (r == -EFBIG)
        return errmsg_set(err, r, "'%s' is longer than %zu bytes", setting_shown(uri, &shown), max);
    if (r < 0)
        return errmsg_set_errno(err, r, "cannot read '%s'", setting_shown(uri, &shown));
    return 0;
}

int source_path(const char *cwd, const char *uri, char **ret, struct errmsg *err)
{
    _cleanup_free_ char *full = NULL, *folder = NULL;
    const char *path = uri;
    struct shown shown;
    int r = find_path(uri, &path, err);

    if (r < 0)
        return r;
    if (asprintf(&full, "%s/%s", *path == '/' ? "" : cwd, path) < 0)
        return -ENOMEM;

    char *slash = strrchr(full, '/'); /* there is one: we put it there */
    *slash = '\0';
    folder = realpath(*full == '\0' ? "/" : full, NULL);
    if (!folder)
        return errmsg_set_errno(err, -errno, "cannot read '%s'", setting_shown(uri, &shown));
    if (asprintf(ret, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, slash + 1) < 0)
        return -ENOMEM;
    return 0;
}

char *source_split_section(char *spec)
{
    char *colon = strrchr(spec, ':');

    if (!colon || strchr(colon, '/'))
        return NULL;
    *colon = '\0';
    return colon + 1;
}
