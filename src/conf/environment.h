/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/macro.h"

struct loader;

/* Adds the options that the environment of l->in has as UWSGI_X and LIEGE_X. Returns 0 or a
 * negative errno with l->err. */
int environment_read(struct loader *l) _must_check_;
