/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "app/app.h"

/* Files that the application's code came from, for those who want a reload when one changes
 * (py-auto-reload, perl-auto-reload). */

/* Tells the master at the other end of @fd which files have been loaded since the last call
 * (FAMILY_SOURCES); with @wait for as long as that takes. Returns false if nobody wants that. */
bool sources_tell(const struct apps *apps, int fd, bool wait);
