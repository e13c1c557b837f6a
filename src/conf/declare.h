/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "base/macro.h"
#include "conf/settings.h"

struct loader;

/* Declares the option that @text says, "NAME=KEY=VALUE;KEY=VALUE...", at @s. Returns 0, or a
 * negative errno with a complete message: a name that is an option already, nothing behind it. */
int declare_option(struct loader *l, const struct conf_setting *s) _must_check_;

/* The declaration of the option @name: its key, and what it stands for as its value. NULL: none. */
const struct conf_setting *declare_find(const struct loader *l, const char *name);

/* True if what it stands for has a $1 in it. */
bool declare_wants_value(const struct conf_setting *declared);

/* If @s sets a declared option, says what that stands for. Returns 1 if so, 0 if @s is another
 * setting, or a negative errno with a complete message. */
int declare_act(struct loader *l, const struct conf_setting *s) _must_check_;
