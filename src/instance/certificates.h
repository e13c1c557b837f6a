/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/errmsg.h"
#include "liege/option.h"
#include "tls/tls-context.h"

/* What the https-sockets of one configuration load need beside their addresses: certificates, keys,
 * who may connect. Each generation has its own, read from the files as they were when it was made;
 * its processes inherit them. */

struct certificates {
    struct tls_context **items; /* in the order of the configuration */
    size_t n_items;
};

/* Reads what @settings (https-socket) name. A file that may not be read any more, because the
 * privileges it needs are gone, does not fail a reload: the socket keeps what @old (may be NULL)
 * has for the same setting, and that is logged. Returns 0, or a negative errno with @err; @ret is
 * to be released either way. */
int certificates_load(struct certificates *ret, const struct liege_list *settings,
                      const struct certificates *old, const struct tls_ticket_key *key,
                      struct errmsg *err) _must_check_;

/* The one of the setting @text, which is one of those that were loaded. */
struct tls_context *certificates_find(const struct certificates *c, const char *text);

void certificates_release(struct certificates *c);
