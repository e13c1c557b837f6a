/* SPDX-License-Identifier: MIT */
/* Folders of variables, as daemontools has them: a file is a variable, its name the name, its first
 * line the value, without blanks at the end; a NUL byte stands for a line's end. An empty file
 * removes the variable. Names that begin with a dot, and what is no file, are passed over.
 *
 * Changes nothing: what is to become of a variable is the caller's. Bounds: 10000 files, 1 MiB
 * each. Called by meta.c. */
#include "conf/envdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "conf/expand.h"

#define FILES_MAX 10000

struct entries {
    struct dirent **items;
    int n_items;
};

static void entries_done(struct entries *e)
{
    for (int i = 0; i < e->n_items; i++)
        free(e->items[i]);
    free(e->items);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Makes text[0 .. len), which is terminated, a value. */
static void cut_value(char *text, size_t len)
{
    char *newline = memchr(text, '\n', len);

    if (newline)
        len = (size_t)(newline - text);
    while (len > 0 && text[len - 1] != '\0' && strchr(" \t\r", text[len - 1]))
        len--;
    text[len] = '\0';
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\0')
            text[i] = '\n';
}

static int read_variable(const char *folder, const char *name, envdir_fn *fn, void *userdata,
                         struct trust *trust, struct errmsg *err)
{
    _cleanup_free_ char *path = NULL, *text = NULL;
    size_t len = 0;
    struct stat st;

    if (strchr(name, '='))
        return errmsg_set(err, -EINVAL, "%s/%s: the name of a variable has no '='", folder, name);
    if (asprintf(&path, "%s/%s", folder, name) < 0)
        return -ENOMEM;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) < 0)
        return errmsg_set_errno(err, -errno, "cannot read %s", path);
    if (!S_ISREG(st.st_mode))
        return 0;
    *trust = trust_weaker(*trust, trust_of_file(&st, geteuid()));
    int r = fd_read_all(fd, VALUE_MAX_BYTES, &text, &len);
    if (r < 0)
        return errmsg_set_errno(err, r, "cannot read %s", path);
    if (len == 0)
        return fn(userdata, name, NULL);
    cut_value(text, len);
    return fn(userdata, name, text);
}

int envdir_read(const char *cwd, const char *path, envdir_fn *fn, void *userdata,
                struct trust *trust, struct errmsg *err)
{
    _cleanup_(buf_done) struct buf full = {0};
    _cleanup_(entries_done) struct entries found = {0};
    int r = buf_printf(&full, "%s%s%s", *path == '/' ? "" : cwd, *path == '/' ? "" : "/", path);

    if (r == 0)
        r = buf_append(&full, "", 1);
    if (r < 0)
        return r;
    const char *folder = buf_at(&full);
    int n = scandir(folder, &found.items, is_visible, alphasort);
    if (n < 0)
        return errmsg_set_errno(err, -errno, "cannot read the folder %s", folder);
    found.n_items = n;
    if (n > FILES_MAX)
        return errmsg_set(err, -E2BIG, "there are more than %d files in %s", FILES_MAX, folder);
    for (int i = 0; r == 0 && i < n; i++)
        r = read_variable(folder, found.items[i]->d_name, fn, userdata, trust, err);
    return r;
}
