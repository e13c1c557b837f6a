/* SPDX-License-Identifier: MIT */
#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "emperor/monitor.h"

/* The monitor of configurations that are in no file: an operator gives them, over the control
 * socket, and the Emperor keeps their texts. It is there without being asked for; its vassals start
 * in the directory in which the Emperor was started. */
int monitor_given_new(const struct emperor_conf *conf, monitor_fn *fn, void *data,
                      struct monitor **ret) _must_check_;

/* Takes a copy of the text as the configuration @name, new or changed; @socket (or "") is that of a
 * vassal that runs on demand. It has been told when this returns: *@ret is the item, which lives as
 * long as the configuration. Returns 0, or a negative errno with @err. */
int monitor_given_put(struct monitor *m, const char *name, const char *text, size_t len,
                      const char *socket, const struct monitor_item **ret,
                      struct errmsg *err) _must_check_;

/* -ENOENT: it has none with this name. */
int monitor_given_remove(struct monitor *m, const char *name) _must_check_;

/* What it has, for a program that goes on with it; texts are appended to @blobs. A new reference,
 * or NULL: no memory. */
json_t *monitor_given_save(const struct monitor *m, struct buf *blobs);

/* Has it, before it is started. Returns 0 or a negative errno. */
int monitor_given_restore(struct monitor *m, const json_t *j, const char *blobs,
                          size_t n_blob_bytes) _must_check_;
