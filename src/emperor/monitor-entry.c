/* SPDX-License-Identifier: MIT */
/* One configuration file: when it is looked at after something happened to it, and what follows.
 *
 * A new file is told as soon as it is complete: renamed into place, linked, or closed by its
 * writer; while it is being written, after a short silence. A file that is known is looked at when
 * nothing has happened to it for a little longer, so that many writes are one change, and removing
 * and creating it again (as some editors do) is a change and not an end. Used by monitor-file.c. */
#include "emperor/monitor-entry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define NEW_QUIET_US  (50 * US_PER_MS)
#define NEW_LATEST_US (250 * US_PER_MS)
#define QUIET_US      (100 * US_PER_MS)
#define LATEST_US     (1000 * US_PER_MS)
#define MAX_INCLUDES  64

/* A file that the configuration is made of too. */
struct include {
    char *path;
    struct stamp stamp; /* all zero: it was not there */
    struct list link;
};

int entry_stat(const struct entry *e, struct stat *ret)
{
    int r = e->fm->conf->nofollow ? lstat(e->path, ret) : stat(e->path, ret);

    if (r < 0)
        return -errno;
    if (S_ISREG(ret->st_mode) || (S_ISLNK(ret->st_mode) && e->fm->conf->nofollow))
        return 0;
    return -ENOENT; /* a directory or a socket is no configuration */
}

bool entry_differs(struct entry *e, const struct stat *st, enum monitor_event *ret)
{
    struct stamp now = stamp_of(st);
    bool itself = !stamp_same_version(&now, &e->item.stamp), differs = itself;
    struct stat other;

    e->item.stamp = now;
    LIST_FOREACH (it, &e->includes) {
        struct include *i = container_of(it, struct include, link);

        if (stat(i->path, &other) < 0)
            continue; /* it will be back, or the vassal says what it misses when it is reloaded */
        now = stamp_of(&other);
        differs = differs || !stamp_same_version(&now, &i->stamp);
        i->stamp = now;
    }
    *ret = itself ? MONITOR_CHANGED : MONITOR_RENEWED;
    return differs;
}

void entry_follow(struct entry *e)
{
    struct places *p = e->fm->places;
    struct stat st;
    int r = 0;

    places_unfollow(p, &e->links);
    if (!e->fm->conf->nofollow && lstat(e->path, &st) == 0 && S_ISLNK(st.st_mode))
        r = places_follow(p, &e->links, e->path, true);
    LIST_FOREACH (it, &e->includes) {
        int failed =
            places_follow(p, &e->links, container_of(it, struct include, link)->path, true);
        r = failed < 0 ? failed : r;
    }
    if (r < 0)
        file_monitor_cannot_watch(e->fm, r);
}

static void forget_includes(struct entry *e)
{
    LIST_FOREACH (it, &e->includes) {
        struct include *i = container_of(it, struct include, link);

        list_remove(it);
        free(i->path);
        free(i);
    }
}

void entry_include(struct entry *e, const char *path)
{
    struct stat st;
    size_t n = 0;

    if (!path) {
        forget_includes(e);
        entry_follow(e);
        return;
    }
    LIST_FOREACH (it, &e->includes) {
        n++;
        if (strcmp(container_of(it, struct include, link)->path, path) == 0)
            return;
    }
    if (n >= MAX_INCLUDES || path[0] != '/' || strcmp(path, e->path) == 0)
        return;
    struct include *i = calloc(1, sizeof(*i));
    if (!i)
        return;
    i->path = strdup(path);
    if (!i->path) {
        free(i);
        return;
    }
    if (stat(path, &st) == 0)
        i->stamp = stamp_of(&st);
    list_append(&e->includes, &i->link);
    int r = places_follow(e->fm->places, &e->links, path, true);
    if (r < 0)
        file_monitor_cannot_watch(e->fm, r);
}

void entry_touch(struct entry *e, bool complete)
{
    uint64_t now = loop_now_us(e->fm->loop);
    uint64_t quiet = e->told ? QUIET_US : NEW_QUIET_US;
    uint64_t latest = e->told ? LATEST_US : NEW_LATEST_US;

    list_remove(&e->news);
    if (e->first_us == 0)
        e->first_us = now;
    uint64_t due = !e->told && complete ? now : MIN(now + quiet, e->first_us + latest);
    loop_timer_set(e->fm->loop, &e->timer, due);
}

static void tell(struct entry *e, enum monitor_event event)
{
    struct monitor *m = &e->fm->monitor;

    m->fn(m->data, m, event, &e->item);
}

/* The file is not there. */
static void settle_missing(struct entry *e, int error)
{
    struct stat st;
    bool missing = error == -ENOENT || error == -ENOTDIR;
    bool is_name_there = lstat(e->path, &st) == 0;

    /* Of a file that was not seen to go, a directory that cannot be looked into says nothing. */
    if (e->told && (!missing || !(e->gone || is_name_there))) {
        (void)log_errno(LOG_WARNING, error, "monitor %s: cannot look at %s, its vassal stays",
                        e->fm->monitor.source, e->name);
        return;
    }
    if (e->told) {
        e->told = false;
        forget_includes(e);
        tell(e, MONITOR_REMOVED);
    }
    if (is_name_there)
        entry_follow(e); /* a link that leads nowhere: it may again */
    else
        (void)entry_free(e);
}

void entry_look(struct entry *e)
{
    enum monitor_event event = MONITOR_CHANGED;
    struct stat st;

    list_remove(&e->news);
    e->first_us = 0;
    int r = entry_stat(e, &st);
    if (r < 0) {
        settle_missing(e, r);
        return;
    }
    e->gone = false;
    entry_follow(e);
    if (!e->told) {
        e->told = true;
        e->item.stamp = stamp_of(&st);
        tell(e, MONITOR_ADDED);
    } else if (entry_differs(e, &st, &event)) {
        tell(e, event);
    }
}

static void on_timer(struct loop_timer *t)
{
    entry_look(container_of(t, struct entry, timer));
}

static void on_link_event(struct places_subject *s, uint32_t mask)
{
    (void)mask; /* the target of a link is told of when it is quiet, whatever happened to it */
    entry_touch(container_of(s, struct entry, links), false);
}

int entry_new(struct file_monitor *fm, const char *name, const char *path, struct entry **ret)
{
    struct entry *e = calloc(1, sizeof(*e));

    if (!e)
        return -ENOMEM;
    *e = (struct entry){.fm = fm, .name = strdup(name), .path = strdup(path)};
    e->item = (struct monitor_item){.name = e->name, .path = e->path};
    e->timer.fn = on_timer;
    places_subject_init(&e->links, on_link_event);
    list_init(&e->includes);
    list_init(&e->news);
    int r = e->name && e->path ? hash_put(&fm->entries, e->name, e) : -ENOMEM;
    if (r < 0) {
        (void)entry_free(e);
        return r;
    }
    *ret = e;
    return 0;
}

struct entry *entry_free(struct entry *e)
{
    if (e->name && hash_get(&e->fm->entries, e->name) == e)
        (void)hash_remove(&e->fm->entries, e->name);
    loop_timer_clear(e->fm->loop, &e->timer);
    list_remove(&e->news);
    forget_includes(e);
    places_unfollow(e->fm->places, &e->links);
    free(e->name);
    free(e->path);
    free(e);
    return NULL;
}
