/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "base/macro.h"
#include "conf/conf.h"

struct loader;

/* Acts on @s if it is a meta option that works at once: files, set, ienv, and what is refused as
 * not supported yet. Returns 1 if it did, 0 if @s is to be appended to the list, or a negative
 * errno with a complete message. */
int meta_immediate(struct loader *l, const struct conf_setting *s) _must_check_;

/* Acts on @s, which is expanded, if it is a meta option that works at the end of the load: env,
 * unenv, strict and what to do instead of running. Returns as meta_immediate(), 0 meaning that @s
 * is an ordinary setting. */
int meta_final(struct loader *l, const struct conf_setting *s) _must_check_;

/* True for the row of an option that asks a question instead of running: --check, --help ... */
bool meta_asks(const struct liege_option *row);

/* True for a name of uWSGI's configuration language that is refused as not supported yet. */
bool meta_is_unsupported(const char *name);
