/* SPDX-License-Identifier: MIT */
/* Events only say that it is time to look: what counts is whether the path now means another file,
 * or the file another time of change, than at the last look. */
#include "instance/touch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define SETTLE_US (100 * US_PER_MS)

struct file {
    struct places_subject subject;
    struct list link;
    struct touch *touch;
    char *path;
    ino_t ino; /* 0: it is not there */
    struct timespec mtime;
};

/* A file is often made, then written: that is one touch. */
static void look_soon(struct touch *t)
{
    if (!loop_timer_is_set(&t->look))
        loop_timer_set(t->loop, &t->look, loop_now_us(t->loop) + SETTLE_US);
}

static void on_event(struct places_subject *s, uint32_t mask)
{
    const struct file *f = container_of(s, struct file, subject);

    (void)mask;
    look_soon(f->touch);
}

static void on_lost(void *data, const char *why)
{
    struct touch *t = data;

    (void)why;
    look_soon(t);
}

/* Notes what the path means now. True if it is there, and not what it was. */
static bool note(struct file *f)
{
    struct stat st = {0};

    if (stat(f->path, &st) < 0) {
        f->ino = 0;
        return false;
    }
    bool same = f->ino == st.st_ino && f->mtime.tv_sec == st.st_mtim.tv_sec &&
                f->mtime.tv_nsec == st.st_mtim.tv_nsec;
    f->ino = st.st_ino;
    f->mtime = st.st_mtim;
    return !same;
}

static int follow(struct file *f)
{
    places_unfollow(f->touch->places, &f->subject);
    return places_follow(f->touch->places, &f->subject, f->path, true);
}

static void on_look(struct loop_timer *timer)
{
    struct touch *t = container_of(timer, struct touch, look);

    LIST_FOREACH (item, &t->files) {
        struct file *f = container_of(item, struct file, link);
        (void)!follow(f); /* it was watched before: the way to it may be another one now */
        if (note(f))
            t->fn(t->data, f->path);
    }
}

static void free_file(struct file *f)
{
    places_unfollow(f->touch->places, &f->subject);
    list_remove(&f->link);
    free(f->path);
    free(f);
}

int touch_add(struct touch *t, const char *path)
{
    int r = t->places ? 0 : places_new(t->loop, on_lost, t, &t->places);
    struct file *f = r == 0 ? calloc(1, sizeof(*f)) : NULL;

    if (!f)
        return r < 0 ? r : -ENOMEM;
    *f = (struct file){.touch = t, .path = strdup(path)};
    places_subject_init(&f->subject, on_event);
    list_append(&t->files, &f->link);
    if (!f->path) {
        free_file(f);
        return -ENOMEM;
    }
    r = follow(f); /* before it is looked at: nothing in between is missed */
    (void)note(f);
    return r;
}

void touch_init(struct touch *t, void (*fn)(void *data, const char *path), void *data)
{
    *t = (struct touch){.fn = fn, .data = data, .look.fn = on_look};
    list_init(&t->files);
}

static void forget_all(struct touch *t)
{
    LIST_FOREACH (item, &t->files)
        free_file(container_of(item, struct file, link));
    if (t->loop)
        loop_timer_clear(t->loop, &t->look);
}

int touch_configure(struct touch *t, struct loop *loop, const struct liege_list *paths)
{
    int result = 0;

    t->loop = loop;
    forget_all(t);
    for (size_t i = 0; i < paths->n_items; i++) {
        int r = touch_add(t, paths->items[i]);
        result = r < 0 ? r : result;
    }
    return result;
}

void touch_done(struct touch *t)
{
    forget_all(t);
    if (t->places)
        t->places = places_free(t->places);
}
