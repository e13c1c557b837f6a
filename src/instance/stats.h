/* SPDX-License-Identifier: MIT */
#pragma once

#include "ipc/stats-server.h"

struct master;

/* The statistics of an instance: uWSGI's keys where it has them, and what liege knows beside.
 * Listens on
 * @address; the file of a UNIX socket belongs to @owner. Returns 0 or a negative errno with @err.
 * To be freed with stats_server_free(). */
int stats_new(const struct master *m, const char *address, const struct cred *owner,
              struct stats_server **ret, struct errmsg *err) _must_check_;
