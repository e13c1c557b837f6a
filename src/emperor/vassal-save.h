/* SPDX-License-Identifier: MIT */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "emperor/court.h"

/* A vassal's record as a document, and back: how it goes through an upgrade of the Emperor. What is
 * not text is a number of a descriptor that both programs have, or a place in a buffer of bytes. */

/* Appends what is kept of the vassal's log to @blobs. Returns a new reference, or NULL: no memory.
 */
json_t *vassal_save(const struct vassal *v, struct buf *blobs);

/* Calls @fn for each descriptor that vassal_save() names. */
void vassal_each_fd(const struct vassal *v, void (*fn)(int fd, void *data), void *data);

/* The same for those that a document names. */
void vassal_each_saved_fd(const json_t *j, void (*fn)(int fd, void *data), void *data);

/* Makes a vassal of @m from @j, whose descriptors belong to it from now on, also when this fails.
 * It has no configuration until its monitor tells of it: v->restored. Returns 0, -EPROTO if that is
 * no record of ours, or another negative errno. */
int vassal_restore(struct vassal_realm *realm, struct monitor *m, const json_t *j,
                   const char *blobs, size_t n_blob_bytes, struct vassal **ret) _must_check_;

/* When all vassals are there: @j may be of one that was to take the place of another. */
void vassal_restore_elder(const struct court *c, const json_t *j);
