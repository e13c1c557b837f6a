/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <time.h>

#include "base/errmsg.h"
#include "base/macro.h"
#include "liege/app.h"

struct static_conf;

/* How long clients may keep files: the rules of static-expires and its relatives. */

struct static_expires_rule;
struct static_expires {
    struct static_expires_rule *first;
};

/* What rules look at. */
struct static_subject {
    struct liege_str file; /* path in the file system */
    struct liege_str path_info, uri;
    struct liege_str type; /* media type */
    time_t mtime, now;
};

/* Makes all rules of @conf. Returns 0, or a negative errno with @err. */
int static_expires_init(struct static_expires *e, const struct static_conf *conf,
                        struct errmsg *err) _must_check_;
void static_expires_done(struct static_expires *e);

/* Finds the first rule that fits, in the order of uWSGI: file, path, URI, type; for each those that
 * count from now, then those that count from the last change. False if there is none; *@ret is when
 * the file expires. */
bool static_expires_find(const struct static_expires *e, const struct static_subject *s,
                         time_t *ret);

/* One rule: @option ("static-expires-uri") with its value. Returns 0, or -EINVAL or -ENOMEM with
 * @err. */
int static_expires_rule_new(const char *option, const char *value, struct static_expires_rule **ret,
                            struct errmsg *err) _must_check_;
struct static_expires_rule *static_expires_rule_free(struct static_expires_rule *rule);

/* True if @option makes such rules. */
bool static_expires_has_option(const char *option);
