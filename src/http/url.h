/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/macro.h"
#include "liege/app.h"

/* Request targets (RFC 9112 section 3.2) and hosts (RFC 3986 section 3.2.2). */

struct http_target {
    struct liege_str authority; /* of "http://authority/path", else empty */
    struct liege_str path;      /* not decoded; empty if the target has none, "*" for "*" */
    struct liege_str query;     /* without the '?' */
    bool escaped;               /* the path has a '%' */
};

/* Takes a target apart; the parts that are not empty point into it. "*" is a target of OPTIONS
 * only. Returns 0, or -EINVAL with the reason, a static string: control or non-ASCII bytes, '#', a
 * path with a malformed escape or with %00, user information, another form. */
int http_target_parse(struct liege_str target, bool options, struct http_target *ret,
                      const char **ret_reason) _must_check_;

/* Decodes the escapes of a path that http_target_parse() has checked, once; slashes and dots stay
 * as they are. @out has room for @path.len bytes. Returns the length. */
size_t http_path_decode(struct liege_str path, char *out);

/* True for a value of Host: a name, an IPv4 address or an IPv6 address in brackets, perhaps with a
 * port; also for an empty one (RFC 9110 section 7.2). */
bool http_host_is_valid(struct liege_str host);

/* Takes a valid host apart; the name keeps its brackets, the port may be empty. */
void http_host_split(struct liege_str host, struct liege_str *ret_name, struct liege_str *ret_port);
