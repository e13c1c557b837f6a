/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>
#include <sys/inotify.h>

#include "base/macro.h"
#include "loop/loop.h"

/* inotify(7) in the loop: one descriptor, any number of watches. */
struct watch;

/* @mask as inotify gives it; @name is the file in a watched directory, or "" for the watched thing
 * itself. @wd is -1 with IN_Q_OVERFLOW: events were lost, everything has to be looked at again.
 * It may not free the struct watch. */
typedef void watch_fn(void *data, int wd, uint32_t mask, const char *name);

int watch_new(struct loop *l, watch_fn *fn, void *data, struct watch **ret) _must_check_;
struct watch *watch_free(struct watch *w);

/* Watches @path. Returns the watch descriptor, which is the same for the same inode, or a negative
 * errno (-ENOSPC: fs.inotify.max_user_watches is reached). */
int watch_add(struct watch *w, const char *path, uint32_t mask) _must_check_;
void watch_remove(struct watch *w, int wd);
