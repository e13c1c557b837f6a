/* SPDX-License-Identifier: MIT */
/* One configuration file: when it is looked at after something happened to it, and what follows for
 * each vassal in it.
 *
 * A file is looked at as soon as it is complete: renamed into place, linked, closed by its writer,
 * or touched; while it is being written, after a short silence. What follows soon after a look at
 * the file waits until nothing has happened for a little longer, so that many writes are two
 * changes at most, and who opens and closes it all the time has it read ten times a second; so does
 * its removal, since creating it again (as some editors do) is a change and not an end.
 *
 * A file whose text is another one changes those of its vassals that it is another one for. If the
 * text is the same it was touched, which is an order for all of them, or only copied, which is
 * nothing. Used by monitor-file.c. */
#include "emperor/monitor-entry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/strv.h"
#include "emperor/contents.h"

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

/* What stat(2) says of the file, with or without following a link. */
static int entry_stat(const struct entry *e, struct stat *ret)
{
    int r = e->fm->conf->nofollow ? lstat(e->path, ret) : stat(e->path, ret);

    if (r < 0)
        return -errno;
    if (S_ISREG(ret->st_mode) || (S_ISLNK(ret->st_mode) && e->fm->conf->nofollow))
        return 0;
    return -ENOENT; /* a directory or a socket is no configuration */
}

static struct entry_item *item_of(struct list *link)
{
    return container_of(link, struct entry_item, link);
}

bool entry_is_told(const struct entry *e)
{
    LIST_FOREACH (it, &e->items)
        if (item_of(it)->told)
            return true;
    return false;
}

bool entry_may_differ(const struct entry *e)
{
    struct stat st;

    if (entry_stat(e, &st) < 0)
        return true;
    struct stamp now = stamp_of(&st);
    if (!stamp_same_version(&now, &e->stamp))
        return true;
    LIST_FOREACH (it, &e->items)
        if (!list_empty(&item_of(it)->includes))
            return true;
    return false;
}

/* Includes */

/* True if one of the files that @i includes is not what it was. */
static bool includes_differ(const struct entry_item *i)
{
    bool differ = false;
    struct stat other;

    LIST_FOREACH (it, &i->includes) {
        struct include *include = container_of(it, struct include, link);

        if (stat(include->path, &other) < 0)
            continue; /* it will be back, or the vassal says what it misses when it is reloaded */
        struct stamp now = stamp_of(&other);
        differ = differ || !stamp_same_version(&now, &include->stamp);
        include->stamp = now;
    }
    return differ;
}

/* A path that leads nowhere, or is being changed right now, is the trouble of the vassal that named
 * it. That we may not watch, or not that much, is ours. */
static int follow_include(struct entry *e, const char *path)
{
    int r = places_follow(e->fm->places, &e->links, path, true);

    return r == -ELOOP || r == -ENAMETOOLONG || r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

static int follow_includes(struct entry *e, const struct entry_item *i)
{
    int failed = 0;

    LIST_FOREACH (it, &i->includes) {
        int r = follow_include(e, container_of(it, struct include, link)->path);
        failed = r < 0 ? r : failed;
    }
    return failed;
}

void entry_follow(struct entry *e)
{
    struct places *p = e->fm->places;
    struct stat st;
    int failed = 0;

    places_unfollow(p, &e->links);
    if (!e->fm->conf->nofollow && lstat(e->path, &st) == 0 && S_ISLNK(st.st_mode))
        failed = places_follow(p, &e->links, e->path, true);
    LIST_FOREACH (it, &e->items) {
        int r = follow_includes(e, item_of(it));
        failed = r < 0 ? r : failed;
    }
    if (failed < 0)
        file_monitor_cannot_watch(e->fm, failed);
}

static void forget_includes(struct entry_item *i)
{
    LIST_FOREACH (it, &i->includes) {
        struct include *include = container_of(it, struct include, link);

        list_remove(it);
        free(include->path);
        free(include);
    }
}

static struct include *include_new(const char *path)
{
    struct include *include = calloc(1, sizeof(*include));
    struct stat st;

    if (!include)
        return NULL;
    include->path = strdup(path);
    if (!include->path) {
        free(include);
        return NULL;
    }
    if (stat(path, &st) == 0)
        include->stamp = stamp_of(&st);
    return include;
}

void entry_include(struct entry_item *i, const char *path)
{
    struct entry *e = i->entry;
    size_t n = 0;

    if (e->fm->conf->no_include_watch)
        return;
    if (!path) {
        forget_includes(i);
        entry_follow(e);
        return;
    }
    LIST_FOREACH (it, &i->includes) {
        n++;
        if (strcmp(container_of(it, struct include, link)->path, path) == 0)
            return;
    }
    if (n >= MAX_INCLUDES || path[0] != '/' || strcmp(path, e->path) == 0)
        return;
    struct include *include = include_new(path);
    if (!include)
        return;
    list_append(&i->includes, &include->link);
    int r = follow_include(e, path);
    if (r < 0)
        file_monitor_cannot_watch(e->fm, r);
}

/* Items */

static void item_free(struct entry_item *i)
{
    list_remove(&i->link);
    forget_includes(i);
    strv_done(&i->item.attributes);
    free(i->name);
    free(i->path);
    free(i);
}

/* Makes the item of the whole file, or with @part of one vassal in it. */
static struct entry_item *item_new(struct entry *e, const char *part)
{
    struct entry_item *i = calloc(1, sizeof(*i));
    const char *colon = part ? ":" : "", *rest = part ? part : "";

    if (!i)
        return NULL;
    i->entry = e;
    list_init(&i->includes);
    list_append(&e->items, &i->link);
    if (asprintf(&i->name, "%s%s%s", e->name, colon, rest) < 0)
        i->name = NULL;
    else if (asprintf(&i->path, "%s%s%s", e->path, colon, rest) < 0)
        i->path = NULL;
    if (!i->name || !i->path) {
        item_free(i);
        return NULL;
    }
    i->item.name = i->name;
    i->item.path = i->path;
    return i;
}

static void tell(struct entry_item *i, enum monitor_event event)
{
    struct monitor *m = &i->entry->fm->monitor;

    m->fn(m->data, m, event, &i->item);
}

/* The item of the file, or of its @part. */
static struct entry_item *find_item(const struct entry *e, const char *part)
{
    size_t len = strlen(e->name);

    LIST_FOREACH (it, &e->items) {
        const char *rest = item_of(it)->name + len;
        if (part ? *rest == ':' && strcmp(rest + 1, part) == 0 : *rest == '\0')
            return item_of(it);
    }
    return NULL;
}

static void drop_item(struct entry_item *i)
{
    if (i->told) {
        i->told = false;
        forget_includes(i);
        tell(i, MONITOR_REMOVED);
    }
    item_free(i);
}

/* Looking */

/* What a look has found out about the file as a whole. */
struct look {
    struct stamp now;
    bool touched;    /* it is newer, or older, than it was */
    bool other_text; /* something in it changed */
    bool program;
    struct contents contents;
};

/* Takes over attributes and stamp; they are the same for all vassals of a file. */
static void set_item(struct entry_item *i, const struct look *l)
{
    i->item.stamp = l->now;
    i->item.program = l->program;
    strv_done(&i->item.attributes);
    if (strv_join(&i->item.attributes, &l->contents.attributes) < 0)
        log_error("monitor %s: out of memory, attributes of %s are left out",
                  i->entry->fm->monitor.source, i->name);
}

/* Tells of one vassal in the file, whose digest is @digest now. */
static void look_at_item(struct entry_item *i, const struct look *l, uint64_t digest)
{
    bool changed = digest != i->digest || (digest == 0 && l->touched);
    bool ordered = l->touched && !l->other_text;
    bool includes = i->told && includes_differ(i);

    i->seen = true;
    i->digest = digest;
    set_item(i, l);
    if (!i->told) {
        i->told = true;
        tell(i, MONITOR_ADDED);
    } else if (changed || ordered) {
        tell(i, MONITOR_CHANGED);
    } else if (includes) {
        tell(i, MONITOR_RENEWED);
    }
}

/* Makes items for what is new in the file. */
static int add_items(struct entry *e, const struct contents *c)
{
    if (c->n_parts == 0)
        return find_item(e, NULL) || item_new(e, NULL) ? 0 : -ENOMEM;
    for (size_t p = 0; p < c->n_parts; p++)
        if (!find_item(e, c->parts[p].name) && !item_new(e, c->parts[p].name))
            return -ENOMEM;
    return 0;
}

static uint64_t digest_of(const struct contents *c, const struct entry_item *i, bool *ret_there)
{
    const char *part = i->name + strlen(i->entry->name);

    *ret_there = true;
    if (*part == '\0' && c->n_parts == 0)
        return c->digest;
    for (size_t p = 0; *part != '\0' && p < c->n_parts; p++)
        if (strcmp(c->parts[p].name, part + 1) == 0)
            return c->parts[p].digest;
    *ret_there = false;
    return 0;
}

/* Vassals that are not in the file any more go before others come: they may want their sockets. */
static void look_at_items(struct entry *e, struct look *l)
{
    bool there = false;

    LIST_FOREACH (it, &e->items) {
        struct entry_item *i = item_of(it);
        uint64_t digest = digest_of(&l->contents, i, &there);
        l->other_text |= !there || !i->told || digest != i->digest;
        if (!there)
            drop_item(i);
    }
    LIST_FOREACH (kept, &e->items) /* NOLINT(*-unix.Malloc): an item leaves the list with its end */
        look_at_item(item_of(kept), l, digest_of(&l->contents, item_of(kept), &there));
}

/* True if the file is a program that writes the configuration: it is run in the name of whoever
 * runs the vassal, so nobody else may have written it. */
static bool is_program(const struct entry *e)
{
    struct stat st = {0};

    if (!e->fm->conf->magic_exec || access(e->path, X_OK) < 0 || stat(e->path, &st) < 0)
        return false;
    if ((st.st_uid == 0 || st.st_uid == geteuid()) && !(st.st_mode & (S_IWGRP | S_IWOTH)))
        return true;
    log_warning(
        "monitor %s: %s may be executed, and is not: others than root and user %d can write "
        "to it",
        e->fm->monitor.source, e->name, (int)geteuid());
    return false;
}

/* Reads the file. What cannot be read, or is wrong, is for the vassals to complain of: those that
 * there are stay. Too many are nobody's. */
static int read_contents(struct entry *e, struct contents *ret)
{
    struct errmsg err = {""};
    int r = contents_read(e->path, e->fm->conf, ret, &err);

    if (r == -ENOMEM || r >= 0)
        return r;
    bool any = list_first(&e->items) != NULL;
    bool several = any && !find_item(e, NULL);
    if (!several && r != -E2BIG)
        return 0;
    log_error("monitor %s: %s; %s", e->fm->monitor.source, err.text,
              any ? "its vassals stay" : "it is left out");
    return r;
}

static void look_inside(struct entry *e, const struct stat *st)
{
    struct look l = {.now = stamp_of(st), .program = is_program(e)};

    l.touched = l.now.mtime_ns != e->stamp.mtime_ns;
    int r = l.program ? 0 : read_contents(e, &l.contents);
    if (r == 0)
        r = add_items(e, &l.contents);
    e->stamp = l.now;
    if (r == 0)
        look_at_items(e, &l);
    else if (r == -ENOMEM)
        (void)log_errno(LOG_ERR, r, "monitor %s: %s is left out", e->fm->monitor.source, e->name);
    contents_done(&l.contents);
}

/* The file is not there. */
static void settle_missing(struct entry *e, int error)
{
    struct stat st;
    bool missing = error == -ENOENT || error == -ENOTDIR;
    bool is_name_there = lstat(e->path, &st) == 0;

    /* Of a file that was not seen to go, a directory that cannot be looked into says nothing. */
    if (entry_is_told(e) && (!missing || !(e->gone || is_name_there))) {
        (void)log_errno(LOG_WARNING, error, "monitor %s: cannot look at %s, its vassal stays",
                        e->fm->monitor.source, e->name);
        return;
    }
    LIST_FOREACH (it, &e->items)
        drop_item(item_of(it));
    if (is_name_there)
        entry_follow(e); /* a link that leads nowhere: it may again */
    else
        (void)entry_free(e);
}

void entry_look(struct entry *e)
{
    struct stat st;

    list_remove(&e->news);
    e->first_us = 0;
    e->looked_us = loop_now_us(e->fm->loop);
    int r = entry_stat(e, &st);
    if (r < 0) {
        settle_missing(e, r);
        return;
    }
    e->gone = false;
    entry_follow(e);
    look_inside(e, &st);
}

/* True if a change of the file, which is complete, need not wait: it is not the removal of one that
 * is known, nor the further one of several. */
static bool is_alone(const struct entry *e, bool told, uint64_t now)
{
    return !(told && e->gone) && (e->looked_us == 0 || now >= e->looked_us + QUIET_US);
}

void entry_touch(struct entry *e, bool complete)
{
    uint64_t now = loop_now_us(e->fm->loop);
    bool told = entry_is_told(e);
    uint64_t quiet = told ? QUIET_US : NEW_QUIET_US;
    uint64_t latest = told ? LATEST_US : NEW_LATEST_US;

    list_remove(&e->news);
    if (e->first_us == 0)
        e->first_us = now;
    uint64_t due = MIN(now + quiet, e->first_us + latest);
    if (complete && is_alone(e, told, now))
        due = now;
    loop_timer_set(e->fm->loop, &e->timer, due);
}

static void on_timer(struct loop_timer *t)
{
    struct entry *e = container_of(t, struct entry, timer);
    struct file_monitor *fm = e->fm;

    entry_look(e);
    if (!fm->settled) /* it may have been the last one */
        loop_task_queue(fm->loop, &fm->tell_news);
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
    e->timer.fn = on_timer;
    places_subject_init(&e->links, on_link_event);
    list_init(&e->items);
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
    LIST_FOREACH (it, &e->items)
        item_free(item_of(it));
    places_unfollow(e->fm->places, &e->links);
    free(e->name);
    free(e->path);
    free(e);
    return NULL;
}
