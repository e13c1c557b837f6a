/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/* True if @name is an option of uWSGI 2.0 or 2.1 or of its plugins. To be asked only for names that
 * no table of ours has. */
bool uwsgi_has_option(const char *name);
