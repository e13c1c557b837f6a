/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/list.h"
#include "liege/option.h"
#include "loop/places.h"

/* Files whose touch is an order (touch-reload): watched, not polled, by whatever links they are
 * reached, and whether or not they exist yet. */
struct touch {
    struct loop *loop;
    struct places *places; /* NULL: nothing is watched */
    struct list files;
    struct loop_timer look;
    void (*fn)(void *data, const char *path);
    void *data;
};

void touch_init(struct touch *t, void (*fn)(void *data, const char *path), void *data);

/* Watches @paths, and no others, from now on. Returns 0, or a negative errno if some of them cannot
 * be watched. */
int touch_configure(struct touch *t, struct loop *loop, const struct liege_list *paths);
/* Watches @path, too. Returns 0 or a negative errno. */
int touch_add(struct touch *t, const char *path) _must_check_;
void touch_done(struct touch *t);
