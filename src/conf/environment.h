/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

struct conf_setting;
struct loader;

/* Adds the options that the environment of l->in has as UWSGI_X and LIEGE_X. Returns 0 or a
 * negative errno with l->err. */
int environment_read(struct loader *l) _must_check_;

/* True if the environment said @s, and no file or command line. */
bool environment_said(const struct conf_setting *s);
