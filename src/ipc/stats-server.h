/* SPDX-License-Identifier: MIT */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "base/cred.h"
#include "base/errmsg.h"
#include "base/sock.h"
#include "loop/loop.h"

/* Serves statistics: one JSON document a connection, then the end. */
struct stats_server;

struct stats_source {
    /* Makes the document of the moment; NULL: no memory. */
    json_t *(*document)(const void *data);

    /* Before each. True: it is a large one, and made by a child, which has the process as it is
     * then, while the loop goes on. May be NULL. */
    bool (*is_large)(const void *data);
    const void *data;
};

/* Listens on @address, for documents of @source, which is copied; the file of a UNIX socket belongs
 * to @owner; @kept (or NULL) is a socket that listens there already. Returns 0 or a negative errno
 * with @err, which begins with @option.
 */
int stats_server_new(struct loop *loop, const char *option, const char *address,
                     const struct cred *owner, const struct sock_kept *kept,
                     const struct stats_source *source, struct stats_server **ret,
                     struct errmsg *err) _must_check_;

/* The socket that it listens on. */
struct sock_kept stats_server_socket(const struct stats_server *s);

/* Closes everything and removes the socket's file. */
struct stats_server *stats_server_free(struct stats_server *s);
