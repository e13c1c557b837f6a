/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "base/macro.h"
#include "base/net.h"
#include "liege/app.h"
#include "liege/option.h"

struct arena;

/* Who the client is when the peer is a proxy: what Forwarded (RFC 7239) and X-Forwarded-For,
 * -Proto, -Host and -Port say. A field counts only if the peer is a trusted proxy and the rules
 * name the field as one that the proxies write. Every other field of this kind can only be a
 * client's and is taken out of the request: Forwarded, X-Real-IP, X-Client-IP and whatever starts
 * with X-Forwarded-. Nothing here logs. */

/* All zero: no rules; requests are left alone. */
struct forwarded_rules {
    bool active;             /* trusted-proxy was said, if only with "none" */
    struct net_list proxies; /* trusted-proxy */
    uint64_t written;        /* trusted-proxy-headers: a bit for each enum liege_field_id */
    struct liege_list other; /* and the names that have no id */
};

/* What trusted-proxy-headers is when it is not said: what nearly every proxy writes, and nothing
 * that many pass on as it came. */
#define FORWARDED_HEADERS "x-forwarded-for,x-forwarded-proto"

/* Makes the rules of the values of trusted-proxy and trusted-proxy-headers. Returns 0, or -EINVAL
 * or -ENOMEM with @err; @ret is to be released with forwarded_rules_done() either way. */
int forwarded_rules_init(struct forwarded_rules *ret, const struct liege_list *proxies,
                         const struct liege_list *headers, struct errmsg *err) _must_check_;
void forwarded_rules_done(struct forwarded_rules *rules);

/* Adds the names in @text, separated by commas or blanks, to those that the proxies write. Returns
 * 0, or -EINVAL or -ENOMEM with @err naming the word and what is accepted. */
int forwarded_add_headers(struct forwarded_rules *rules, const char *text,
                          struct errmsg *err) _must_check_;

/* Applies the fields to @req, whose connection is filled in already. @trusted: the peer is one of
 * rules->proxies, which does not change while a connection lasts. Then:
 *
 *   remote_addr   the client: of the hops that X-Forwarded-For or Forwarded lists, the last one
 * that is no trusted proxy itself, or the first of all. Empty for "unknown" and for an obfuscated
 * name (RFC 7239 section 6) remote_port   its port if one is given, else empty scheme        "http"
 * or "https" the Host field  X-Forwarded-Host, or host= of Forwarded server_port   X-Forwarded-Port
 *
 * Of X-Forwarded-Proto, -Host and -Port the last value counts, which the nearest proxy wrote; of
 * Forwarded the element that names the client. What is not given stays as it is. If both Forwarded
 * and X-Forwarded-For, -Proto or -Host are there they must say the same.
 *
 * Values that are new are made in @arena, or point into the fields and static text. Returns 0, or
 * -EINVAL with the reason, a static string: the request is to be answered 400, for a trusted proxy
 * said what cannot be, and to guess would be to let a client choose. @req is then as it was. */
int forwarded_apply(const struct forwarded_rules *rules, bool trusted, struct liege_request *req,
                    struct arena *arena, const char **ret_reason) _must_check_;
