/* SPDX-License-Identifier: MIT */
#pragma once

#include "instance/registry.h"

/* Gives this process the title of its part in the instance: "liege: master app.ini", or with
 * procname "NAME: master". */
void procname_set(const struct registry *r, const char *role);
