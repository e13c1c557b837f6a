/* SPDX-License-Identifier: MIT */
/* What all monitors have in common: which one a source means, which names are configurations, and
 * what makes a version. A new kind of source is a row in `schemes`. */
#include "emperor/monitor.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"
#include "conf/format.h"

#define MAX_NAME_BYTES 254

static const struct scheme {
    const char *prefix;
    monitor_make_fn *make;
} schemes[] = {
    {"dir://", monitor_dir_new},
    {"glob://", monitor_glob_new},
};

struct stamp stamp_of(const struct stat *st)
{
    return (struct stamp){
        .mtime_ns = (uint64_t)st->st_mtim.tv_sec * 1000000000ULL + (uint64_t)st->st_mtim.tv_nsec,
        .inode = st->st_ino,
        .device = st->st_dev,
        .size = (uint64_t)st->st_size,
        .uid = st->st_uid,
        .gid = st->st_gid,
    };
}

bool stamp_same_version(const struct stamp *a, const struct stamp *b)
{
    return a->mtime_ns == b->mtime_ns && a->inode == b->inode && a->device == b->device &&
           a->size == b->size;
}

const char *monitor_format_of(const char *name)
{
    const struct format *format = format_of_name(name);
    const char *colon = strrchr(name, ':');
    char file[MAX_NAME_BYTES + 1];

    if (!format && colon && !strchr(colon, '/') && (size_t)(colon - name) < sizeof(file)) {
        (void)snprintf(file, sizeof(file), "%.*s", (int)(colon - name), name);
        format = format_of_name(file);
    }
    return format ? format->option : "config";
}

bool monitor_accepts_name(const struct emperor_conf *conf, const char *name)
{
    if (name[0] == '.' || strlen(name) > MAX_NAME_BYTES)
        return false;
    if (format_of_name(name))
        return true;
    for (size_t i = 0; i < conf->extensions.n_items; i++)
        if (str_ends(name, conf->extensions.items[i]))
            return true;
    return false;
}

/* Without a scheme: a directory, a file or a pattern? What is not there yet and does not look like
 * a configuration or a pattern will be a directory. */
static bool means_directory(const char *source, const struct emperor_conf *conf)
{
    glob_t found = {0};
    bool directory = false;
    int r = glob(source, GLOB_MARK, NULL, &found);

    if (r == 0 && found.gl_pathc == 1)
        directory = str_ends(found.gl_pathv[0], "/");
    else if (r == GLOB_NOMATCH && !strpbrk(source, "*?["))
        directory = !monitor_accepts_name(conf, basename(source));
    globfree(&found);
    return directory;
}

/* The scheme of @source, or NULL with *@ret_where the whole of it. */
static const struct scheme *find_scheme(const char *source, const char **ret_where)
{
    *ret_where = source;
    for (size_t i = 0; i < COUNT_OF(schemes); i++)
        if (str_starts(source, schemes[i].prefix)) {
            *ret_where = source + strlen(schemes[i].prefix);
            return &schemes[i];
        }
    return NULL;
}

int monitor_check(const char *source, struct errmsg *err)
{
    const char *where = NULL;

    if (!find_scheme(source, &where) && strstr(source, "://"))
        return errmsg_set(err, -EINVAL,
                          "emperor = %s: there is no such monitor; there are dir:// and glob://",
                          source);
    if (!where[0])
        return errmsg_set(err, -EINVAL, "emperor = %s: a path is missing", source);
    return 0;
}

int monitor_new(const char *source, const struct emperor_conf *conf, struct loop *l, monitor_fn *fn,
                void *data, struct monitor **ret, struct errmsg *err)
{
    struct monitor *m = NULL;
    const char *where = NULL;
    const struct scheme *scheme = find_scheme(source, &where);
    int r = monitor_check(source, err);

    if (r < 0)
        return r;
    monitor_make_fn *make = monitor_glob_new;
    if (scheme)
        make = scheme->make;
    else if (means_directory(source, conf))
        make = monitor_dir_new;
    r = make(where, conf, l, &m);
    if (r < 0)
        return errmsg_set_errno(err, r, "emperor = %s", source);
    m->fn = fn;
    m->data = data;
    m->source = strdup(source);
    if (!m->source) {
        m = monitor_free(m);
        return errmsg_set_errno(err, -ENOMEM, "emperor = %s", source);
    }
    *ret = m;
    return 0;
}

struct monitor *monitor_free(struct monitor *m)
{
    if (!m)
        return NULL;
    free(m->source);
    free(m->directory);
    m->ops->free(m);
    return NULL;
}
