/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/errmsg.h"
#include "conf/settings.h"
#include "conf/source.h"

#define VALUE_MAX_BYTES (1U << 20) /* of an expanded value */

/* What the expressions in values refer to, beside the settings themselves. */
struct expand_world {
    const char *const *environ;         /* $(NAME) */
    const struct liege_list *ienv;      /* NAME=VALUE; goes before @environ */
    struct trust ienv_trust;            /* of those who said it */
    const struct source_world *sources; /* @(file) */
    struct liege_list *warnings;        /* takes the dubious; NULL: not wanted */
};

/* The value of the variable name[0 .. len), or NULL; weakens @trust to that in it. */
const char *expand_getenv(const struct expand_world *world, const char *name, size_t len,
                          struct trust *trust);

/* Expands the value of every setting in place: $(NAME), then @(file), then %(name), and marks the
 * settings that are referred to. Returns 0, or a negative errno with @err ("app.ini:3: ..."). */
int expand_settings(struct settings *list, const struct expand_world *world,
                    struct errmsg *err) _must_check_;

/* Expands the value of @s with what is in @list so far, in which only the marks change. *@ret is
 * allocated; *@ret_trust, which may be NULL, is that of all that it was put together from. Returns
 * as expand_settings(). */
int expand_early(struct settings *list, const struct conf_setting *s,
                 const struct expand_world *world, char **ret, struct trust *ret_trust,
                 struct errmsg *err) _must_check_;
