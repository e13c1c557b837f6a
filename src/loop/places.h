/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "loop/loop.h"

/* Watched places in the file system, by one inotify(7) descriptor: whole directories (a listener
 * hears of every name), and paths (a subject hears when a path may have come to mean another file
 * or content, through whatever links it leads and whether or not it exists now).
 *
 * Callbacks only record and queue: they call no function of this page. */
struct places;

/* Watches or events were lost, or a directory changed in which somebody listens: everything has to
 * be looked at and watched again. */
typedef void places_lost_fn(void *data, const char *why);

/* Also works when inotify is not to be had; then nothing can be watched, and each call says so. */
int places_new(struct loop *l, places_lost_fn *lost, void *data, struct places **ret) _must_check_;

/* Frees it; subjects and listeners are let go first. */
struct places *places_free(struct places *p);

struct places_listener {
    void (*fn)(struct places_listener *l, uint32_t mask, const char *name); /* mask: inotify(7) */
    struct places_dir *dir;                                                 /* NULL: none */
    struct list link;
};

/* Watches the directory @path. Returns 0 or a negative errno; then the listener hears nothing. */
int places_listen(struct places *p, struct places_listener *l, const char *path) _must_check_;
void places_unlisten(struct places *p, struct places_listener *l);

struct places_subject {
    void (*fn)(struct places_subject *s, uint32_t mask);
    struct list links;
};

void places_subject_init(struct places_subject *s, void (*fn)(struct places_subject *, uint32_t));

/* Watches what @path goes through; with @end also its last name, which somebody who listens in the
 * directory does not need. May be called for several paths. Returns 0, or a negative errno when
 * some of it cannot be watched. */
int places_follow(struct places *p, struct places_subject *s, const char *path,
                  bool end) _must_check_;
void places_unfollow(struct places *p, struct places_subject *s);
