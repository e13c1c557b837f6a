/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/cred.h"
#include "base/errmsg.h"
#include "emperor/court.h"

/* The Emperor's stats: one JSON document a connection, then the end. Keys are uWSGI's; each vassal
 * has besides: state, since, reason, generation, workers and exit. */
struct stats;

/* Listens on @address; the file of a UNIX socket belongs to @owner. Returns 0 or a negative errno
 * with @err. */
int stats_new(const struct court *c, const char *address, const struct cred *owner,
              struct stats **ret, struct errmsg *err) _must_check_;

/* Closes everything and removes the socket's file. */
struct stats *stats_free(struct stats *s);
