/* SPDX-License-Identifier: MIT */
/* The monitor glob://: every configuration that a pattern matches. A vassal is called as glob(3)
 * gives its file, and starts in the directory in which the Emperor was started.
 *
 * Watched are the directories in which matches can lie, and, if the pattern has wildcards before
 * its last slash, every directory in which a further such directory can appear. For /home/?/app.ini
 * (with a star) these are /home, and each directory in it. */
#include <errno.h>
#include <fnmatch.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "emperor/monitor-file.h"

/* One watched directory. */
struct level {
    struct glob_monitor *owner;
    struct places_listener listener;
    char *directory;      /* as glob(3) gives it */
    const char *pattern;  /* what counts in it: a part of glob_monitor.parts */
    size_t pattern_bytes; /* its length */
    bool last;            /* what counts are configurations, not directories */
    struct list link;
};

struct glob_monitor {
    struct file_monitor files;
    char *pattern;
    struct list levels;
    struct places_subject way; /* to the directory before the first wildcard */
};

static struct glob_monitor *of(struct file_monitor *fm)
{
    return container_of(fm, struct glob_monitor, files);
}

static int absolute_path(const struct glob_monitor *g, const char *name, char path[PATH_MAX])
{
    bool absolute = name[0] == '/';
    int n = snprintf(path, PATH_MAX, "%s%s%s", absolute ? "" : g->files.monitor.directory,
                     absolute ? "" : "/", name);

    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static void on_name(struct places_listener *listener, uint32_t mask, const char *name)
{
    const struct level *v = container_of(listener, struct level, listener);
    struct glob_monitor *g = v->owner;
    char pattern[PATH_MAX], match[PATH_MAX], path[PATH_MAX];

    (void)snprintf(pattern, sizeof(pattern), "%.*s", (int)v->pattern_bytes, v->pattern);
    if (fnmatch(pattern, name, FNM_PERIOD) != 0)
        return;
    if (!v->last) {
        if (mask & ~(uint32_t)(IN_MODIFY | IN_CLOSE_WRITE))
            file_monitor_refresh(&g->files);
        return;
    }
    int n = snprintf(match, sizeof(match), "%s%s", v->directory, name);
    if (n < 0 || (size_t)n >= sizeof(match) || absolute_path(g, match, path) < 0)
        return;
    if (monitor_accepts_name(g->files.conf, name))
        file_monitor_noticed(&g->files, match, path, mask);
}

static void forget_levels(struct glob_monitor *g)
{
    LIST_FOREACH (it, &g->levels) {
        struct level *v = container_of(it, struct level, link);

        places_unlisten(g->files.places, &v->listener);
        list_remove(it);
        free(v->directory);
        free(v);
    }
}

/* Watches @directory ("" or with a slash at its end) for names that match the part of the pattern
 * which begins at @part. */
static int add_level(struct glob_monitor *g, const char *directory, const char *part)
{
    struct level *v = calloc(1, sizeof(*v));

    if (!v)
        return -ENOMEM;
    *v = (struct level){
        .owner = g,
        .listener = {.fn = on_name},
        .directory = strdup(directory),
        .pattern = part,
        .pattern_bytes = strcspn(part, "/"),
    };
    v->last = part[v->pattern_bytes] == '\0';
    list_append(&g->levels, &v->link);
    if (!v->directory)
        return -ENOMEM;
    int r = file_monitor_listen(&g->files, &v->listener, directory[0] ? directory : ".");
    /* What vanished, or may not be read, changes in the directory above, which is watched too. */
    return r == -ENOENT || r == -ENOTDIR || r == -EACCES ? 0 : r;
}

/* Watches every directory that matches the pattern up to @part. */
static int add_levels(struct glob_monitor *g, const char *part)
{
    char above[PATH_MAX];
    glob_t found = {0};
    int failed = 0;

    (void)snprintf(above, sizeof(above), "%.*s", (int)(part - g->pattern), g->pattern);
    if (!above[0])
        return add_level(g, "", part);
    if (glob(above, GLOB_NOSORT, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++) {
            int r = add_level(g, found.gl_pathv[i], part);
            failed = r < 0 ? r : failed;
        }
    globfree(&found);
    return failed;
}

/* The first part of the pattern that has a wildcard, or its last part. */
static const char *first_wild_part(const char *pattern)
{
    const char *wild = pattern + strcspn(pattern, "*?[\\");

    while (wild > pattern && wild[-1] != '/')
        wild--;
    if (*wild)
        return wild;
    const char *slash = strrchr(pattern, '/');
    return slash ? slash + 1 : pattern;
}

static void on_way(struct places_subject *s, uint32_t mask)
{
    (void)mask;
    file_monitor_refresh(&container_of(s, struct glob_monitor, way)->files);
}

static int locate(struct file_monitor *fm)
{
    struct glob_monitor *g = of(fm);
    const char *part = first_wild_part(g->pattern);
    char base[PATH_MAX];
    int failed = 0;

    forget_levels(g);
    places_unfollow(fm->places, &g->way);
    (void)snprintf(base, sizeof(base), "%.*s", (int)(part - g->pattern), g->pattern);
    if (base[0])
        failed = places_follow(fm->places, &g->way, base, access(base, R_OK) < 0);
    while (part) {
        int r = add_levels(g, part);
        failed = r < 0 ? r : failed;
        part = strchr(part, '/');
        if (part)
            part += strspn(part, "/");
    }
    return failed;
}

static int list(struct file_monitor *fm)
{
    struct glob_monitor *g = of(fm);
    const char *part = first_wild_part(g->pattern);
    char base[PATH_MAX], path[PATH_MAX];
    glob_t found = {0};

    (void)snprintf(base, sizeof(base), "%.*s", (int)(part - g->pattern), g->pattern);
    if (base[0] && access(base, R_OK | X_OK) < 0)
        return -errno; /* what lies below it is unknown, not gone */
    int r = glob(g->pattern, 0, NULL, &found);
    for (size_t i = 0; r == 0 && i < found.gl_pathc; i++) {
        const char *name = found.gl_pathv[i];
        if (monitor_accepts_name(fm->conf, basename(name)) && absolute_path(g, name, path) == 0)
            file_monitor_found(fm, name, path);
    }
    globfree(&found);
    return r == 0 || r == GLOB_NOMATCH ? 0 : r == GLOB_NOSPACE ? -ENOMEM : -EIO;
}

static void free_glob(struct file_monitor *fm)
{
    struct glob_monitor *g = of(fm);

    if (fm->places) {
        forget_levels(g);
        places_unfollow(fm->places, &g->way);
        fm->places = places_free(fm->places);
    }
    free(g->pattern);
    free(g);
}

static const struct file_monitor_kind glob_kind = {
    .locate = locate,
    .list = list,
    .free = free_glob,
};

int monitor_glob_new(const char *where, const struct emperor_conf *conf, struct loop *l,
                     struct monitor **ret)
{
    struct glob_monitor *g = calloc(1, sizeof(*g));

    if (!g)
        return -ENOMEM;
    list_init(&g->levels);
    places_subject_init(&g->way, on_way);
    g->pattern = strdup(where);
    int r = file_monitor_init(&g->files, &glob_kind, conf, l);
    g->files.monitor.directory = getcwd(NULL, 0);
    if (r == 0 && (!g->pattern || !g->files.monitor.directory))
        r = -ENOMEM;
    if (r < 0) {
        (void)monitor_free(&g->files.monitor);
        return r;
    }
    *ret = &g->files.monitor;
    return 0;
}
