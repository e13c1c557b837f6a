/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/macro.h"
#include "conf/settings.h"

struct loader;

/* What the options of these names do, at once (ienv, early-envdir) or when @s is expanded (the
 * others). They return 0, or a negative errno with a complete message. */
int meta_env(struct loader *l, const struct conf_setting *s) _must_check_;
int meta_unenv(struct loader *l, const struct conf_setting *s) _must_check_;
int meta_ienv(struct loader *l, const struct conf_setting *s) _must_check_;
int meta_envdir(struct loader *l, const struct conf_setting *s) _must_check_;
int meta_early_envdir(struct loader *l, const struct conf_setting *s) _must_check_;

/* Refuses @text, which is to be NAME=VALUE. */
int meta_refuse_pair(const struct conf_setting *s, const char *text, struct errmsg *err);
