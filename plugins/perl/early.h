/* SPDX-License-Identifier: MIT */
#pragma once

#include "interp.h"

/* struct liege_plugin's early(). */
int early_act(const char *option, const char *value, void **ret_app, struct liege_error *err);
