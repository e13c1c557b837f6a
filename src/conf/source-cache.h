/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "conf/trust.h"

/* A text that had to be waited for, or that can be read only once. */
struct source_entry {
    char *uri;  /* as it was written */
    char *text; /* terminated */
    size_t len;
    struct trust trust;
    bool kept; /* it cannot be read again */
};

/* The texts of one load of the configuration that did not come from plain files: each is read once
 * a load, by one process for another if need be. All zero is an empty one. */
struct source_cache {
    struct source_entry *entries;
    size_t n_entries;
    size_t n_bytes; /* of all texts */
    bool offline;   /* what is not in here is not read: the process must not wait */
    bool missing;   /* a load has failed for that */
};

#define SOURCE_CACHE_MAX_BYTES (256U << 20)

/* In the environment of a program that we become or start: the descriptor with what we have read.
 */
#define SOURCE_CACHE_ENV "LIEGE_SOURCES_FD"

void source_cache_done(struct source_cache *c);

/* Removes what a new load has to read anew: all but the texts that cannot be read again. */
void source_cache_expire(struct source_cache *c);

/* The entry, which is the cache's, or NULL. */
const struct source_entry *source_cache_find(const struct source_cache *c, const char *uri);

/* Adds a copy of @e. Returns 0, -ENOMEM, or -EFBIG over SOURCE_CACHE_MAX_BYTES in all. */
int source_cache_add(struct source_cache *c, const struct source_entry *e) _must_check_;

/* Writes the entries to @fd, or only those that cannot be read again, in a form for
 * source_cache_read(), which adds them, from the start of the file that @fd is. Each returns 0 or a
 * negative errno; -EPROTO if it is something else that is read, or another release's. */
int source_cache_write(const struct source_cache *c, bool only_kept, int fd) _must_check_;
int source_cache_read(struct source_cache *c, int fd) _must_check_;

/* A sealed file in memory with what source_cache_write() writes, close-on-exec. Returns the
 * descriptor, or a negative errno; -ENODATA if there is nothing to write. */
int source_cache_seal(const struct source_cache *c, bool only_kept) _must_check_;

/* Reads the file that SOURCE_CACHE_ENV names, closes it and removes the variable; nothing if there
 * is none. Returns 0, or a negative errno with @err. */
int source_cache_inherit(struct source_cache *c, struct errmsg *err) _must_check_;
