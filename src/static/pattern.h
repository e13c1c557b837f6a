/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "base/macro.h"
#include "liege/app.h"

/* A regular expression as Perl writes them (PCRE2), for paths. It matches anywhere unless it says
 * otherwise with ^ and $. Read-only once made: any thread may use it. */
struct static_pattern;

/* Compiles @len bytes of @text. Returns 0, -EINVAL with @err saying where it is wrong, or -ENOMEM.
 */
int static_pattern_new(const char *text, size_t len, struct static_pattern **ret,
                       struct errmsg *err) _must_check_;
struct static_pattern *static_pattern_free(struct static_pattern *p);

/* True if it matches in @subject. An expression that would need too many steps for this subject
 * does not match: what a client sends must not keep a worker busy. */
bool static_pattern_matches(const struct static_pattern *p, struct liege_str subject);
