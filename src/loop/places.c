/* SPDX-License-Identifier: MIT */
/* Which directories are watched, for whom. A directory is watched once for each path that it is
 * known by, as long as anybody refers to it: listeners, and single names in it that subjects
 * depend on. Two paths may lead to one directory; the kernel then gives both the same watch
 * descriptor, so an event is for all directories of its descriptor. Used by monitor-file.c. */
#include "loop/places.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "loop/trail.h"
#include "loop/watch.h"

#define N_BUCKETS 256
#define SELF_LOST (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)
#define EVENTS                                                                                     \
    (IN_CREATE | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE | IN_MOVED_FROM |              \
     IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF)

struct places_dir {
    char *path;
    int wd;            /* -1: the watch was lost */
    struct list by_wd; /* in places.buckets */
    struct list listeners, names;
    unsigned n_refs; /* of both */
};

/* A name in a directory that subjects depend on. */
struct place {
    char *path; /* of directory and name */
    struct places_dir *dir;
    struct list of_dir;
    struct list links;
};

/* One subject depends on one place. */
struct place_link {
    struct places_subject *subject;
    struct place *place;
    struct list of_subject, of_place;
};

struct places {
    struct watch *watch; /* NULL: there are no inotify instances left */
    int error;           /* then, why */
    places_lost_fn *lost;
    void *data;
    struct hash dirs;  /* path -> struct places_dir */
    struct hash names; /* path -> struct place */
    struct list buckets[N_BUCKETS];
};

static struct list *bucket(struct places *p, int wd)
{
    return &p->buckets[(unsigned)wd % N_BUCKETS];
}

/* Stops the watch of @d, unless the same directory is watched under another path too. */
static void unwatch(struct places *p, struct places_dir *d)
{
    int wd = d->wd;

    list_remove(&d->by_wd);
    d->wd = -1;
    if (wd < 0)
        return;
    LIST_FOREACH (it, bucket(p, wd))
        if (container_of(it, struct places_dir, by_wd)->wd == wd)
            return;
    watch_remove(p->watch, wd);
}

static int rewatch(struct places *p, struct places_dir *d)
{
    int wd = p->watch ? watch_add(p->watch, d->path, EVENTS | IN_ONLYDIR) : p->error;

    if (wd < 0)
        return wd;
    list_remove(&d->by_wd);
    d->wd = wd;
    list_append(bucket(p, wd), &d->by_wd);
    return 0;
}

static void dir_free(struct places *p, struct places_dir *d)
{
    unwatch(p, d);
    (void)hash_remove(&p->dirs, d->path); /* not there yet when dir_get() fails half-way */
    free(d->path);
    free(d);
}

static void dir_unref(struct places *p, struct places_dir *d)
{
    if (--d->n_refs == 0)
        dir_free(p, d);
}

/* Finds or makes the watched directory @path, with one more reference. */
static int dir_ref(struct places *p, const char *path, struct places_dir **ret)
{
    struct places_dir *d = hash_get(&p->dirs, path);
    int r = 0;

    if (!d) {
        d = calloc(1, sizeof(*d));
        if (!d)
            return -ENOMEM;
        *d = (struct places_dir){.path = strdup(path), .wd = -1};
        list_init(&d->by_wd);
        list_init(&d->listeners);
        list_init(&d->names);
        if (!d->path) {
            free(d);
            return -ENOMEM;
        }
        r = hash_put(&p->dirs, d->path, d);
    }
    d->n_refs++;
    if (r == 0 && d->wd < 0)
        r = rewatch(p, d);
    if (r < 0) {
        dir_unref(p, d);
        return r;
    }
    *ret = d;
    return 0;
}

static void tell_subjects(const struct place *place, uint32_t mask)
{
    LIST_FOREACH (it, &place->links) {
        struct places_subject *s = container_of(it, struct place_link, of_place)->subject;
        s->fn(s, mask);
    }
}

static void tell_name(struct places *p, struct places_dir *d, uint32_t mask, const char *name)
{
    char path[PATH_MAX];

    LIST_FOREACH (it, &d->listeners) {
        struct places_listener *l = container_of(it, struct places_listener, link);
        l->fn(l, mask, name);
    }

    (void)snprintf(path, sizeof(path), "%s%s%s", d->path, d->path[1] ? "/" : "", name);
    const struct place *place = hash_get(&p->names, path);
    if (place)
        tell_subjects(place, mask);
}

/* The directory is another one than before. Of what is in it now only its listeners want to know
 * everything; to others it is one of the places that their path goes through. Returns true if it
 * has listeners. */
static bool tell_all_names(const struct places_dir *d, uint32_t mask)
{
    if (!list_empty(&d->listeners))
        return true;
    LIST_FOREACH (it, &d->names)
        tell_subjects(container_of(it, struct place, of_dir), mask);
    return false;
}

static void on_event(void *data, int wd, uint32_t mask, const char *name)
{
    struct places *p = data;
    const char *why = NULL;

    if (mask & IN_Q_OVERFLOW) {
        p->lost(p->data, "the kernel dropped events");
        return;
    }
    LIST_FOREACH (it, bucket(p, wd)) {
        struct places_dir *d = container_of(it, struct places_dir, by_wd);

        if (d->wd != wd)
            continue;
        if (mask & SELF_LOST) {
            unwatch(p, d);
            if (tell_all_names(d, mask))
                why = "a directory was moved or removed";
        } else if (name[0]) {
            tell_name(p, d, mask, name);
        } else if (tell_all_names(d, mask)) {
            why = "a directory's permissions changed";
        }
    }
    if (why)
        p->lost(p->data, why);
}

int places_new(struct loop *l, places_lost_fn *lost, void *data, struct places **ret)
{
    _cleanup_free_ struct places *p = calloc(1, sizeof(*p));

    if (!p)
        return -ENOMEM;
    p->lost = lost;
    p->data = data;
    for (size_t i = 0; i < N_BUCKETS; i++)
        list_init(&p->buckets[i]);
    p->error = watch_new(l, on_event, p, &p->watch);
    if (p->error == -ENOMEM)
        return p->error;
    *ret = TAKE_PTR(p);
    return 0;
}

struct places *places_free(struct places *p)
{
    if (!p)
        return NULL;
    p->watch = watch_free(p->watch);
    hash_done(&p->dirs);
    hash_done(&p->names);
    free(p);
    return NULL;
}

int places_listen(struct places *p, struct places_listener *l, const char *path)
{
    int r = dir_ref(p, path, &l->dir);

    if (r == 0)
        list_append(&l->dir->listeners, &l->link);
    return r;
}

void places_unlisten(struct places *p, struct places_listener *l)
{
    if (!l->dir)
        return;
    list_remove(&l->link);
    dir_unref(p, TAKE_PTR(l->dir));
}

void places_subject_init(struct places_subject *s, void (*fn)(struct places_subject *, uint32_t))
{
    s->fn = fn;
    list_init(&s->links);
}

static void place_drop_if_unused(struct places *p, struct place *place)
{
    if (!list_empty(&place->links))
        return;
    (void)hash_remove(&p->names, place->path);
    list_remove(&place->of_dir);
    dir_unref(p, place->dir);
    free(place->path);
    free(place);
}

static int place_get(struct places *p, const char *dir, const char *path, struct place **ret)
{
    struct place *place = hash_get(&p->names, path);

    if (place) {
        *ret = place;
        return place->dir->wd < 0 ? rewatch(p, place->dir) : 0;
    }
    place = calloc(1, sizeof(*place));
    if (!place)
        return -ENOMEM;
    list_init(&place->of_dir);
    list_init(&place->links);
    place->path = strdup(path);
    int r = place->path ? dir_ref(p, dir, &place->dir) : -ENOMEM;
    if (r == 0) {
        r = hash_put(&p->names, place->path, place);
        if (r < 0)
            dir_unref(p, place->dir);
    }
    if (r < 0) {
        free(place->path);
        free(place);
        return r;
    }
    list_append(&place->dir->names, &place->of_dir);
    *ret = place;
    return 0;
}

struct following {
    struct places *places;
    struct places_subject *subject;
    bool end;
};

static int follow_name(void *data, enum trail_kind kind, const char *dir, const char *name)
{
    const struct following *f = data;
    struct place *place = NULL;
    char path[PATH_MAX];

    if (kind == TRAIL_END && !f->end)
        return 0;
    (void)snprintf(path, sizeof(path), "%s%s%s", dir, dir[1] ? "/" : "", name);
    int r = place_get(f->places, dir, path, &place);
    if (r < 0)
        return r;
    struct place_link *link = malloc(sizeof(*link));
    if (!link) {
        place_drop_if_unused(f->places, place);
        return -ENOMEM;
    }
    *link = (struct place_link){.subject = f->subject, .place = place};
    list_append(&f->subject->links, &link->of_subject);
    list_append(&place->links, &link->of_place);
    return 0;
}

int places_follow(struct places *p, struct places_subject *s, const char *path, bool end)
{
    struct following f = {.places = p, .subject = s, .end = end};

    return trail_walk(path, follow_name, &f);
}

void places_unfollow(struct places *p, struct places_subject *s)
{
    LIST_FOREACH (it, &s->links) {
        struct place_link *link = container_of(it, struct place_link, of_subject);

        list_remove(&link->of_subject);
        list_remove(&link->of_place);
        place_drop_if_unused(p, link->place);
        free(link);
    }
}
