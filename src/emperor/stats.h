/* SPDX-License-Identifier: MIT */
#pragma once

#include "emperor/court.h"
#include "ipc/stats-server.h"

/* The object of one vassal; NULL: no memory. */
json_t *stats_of_vassal(const struct vassal *v);

/* The Emperor's statistics. Keys are uWSGI's; each vassal has besides: state, since, reason,
 * generation, workers and exit. Listens on @address; the file of a UNIX socket belongs to @owner;
 * @kept is one that listens there already.
 * Returns 0 or a negative errno with @err. To be freed with stats_server_free(). */
int stats_new(const struct court *c, const char *address, const struct cred *owner,
              const struct sock_kept *kept, struct stats_server **ret,
              struct errmsg *err) _must_check_;
