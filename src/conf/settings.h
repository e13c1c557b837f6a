/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/macro.h"
#include "conf/conf.h"

/* A growing, ordered list of settings. All zero is an empty one. */
struct settings {
    struct conf_setting *items;
    size_t n_items, capacity;
};

/* Appends copies of @s's strings. Returns 0 or -ENOMEM. */
int settings_append(struct settings *list, const struct conf_setting *s) _must_check_;
void settings_done(struct settings *list);
void setting_done(struct conf_setting *s);

/* Puts "FILE:LINE: " (or "FILE: " where there are no lines) in front of @err and returns @code. */
int setting_blame(const struct conf_setting *s, int code, struct errmsg *err);

/* Adds the warning "FILE:LINE: text" to @warnings. Returns 0 or -ENOMEM. */
int setting_warn(const struct conf_setting *s, struct liege_list *warnings, const char *fmt, ...)
    _printf_(3, 4) _must_check_;

/* A value as it is shown in messages: short, one line, whatever bytes it has. */
struct shown {
    char text[128];
};
const char *setting_shown(const char *value, struct shown *ret);
