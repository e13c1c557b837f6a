/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/* struct liege_plugin's sources(), for modules that are not the standard library's. Holds the GIL.
 */
void sources_report(void (*add)(void *data, const char *path), void *data);

/* Those that have been loaded until now will not be reported: they are a base vassal's, and a
 * reload of this instance does not load them anew. Holds the GIL. */
void sources_skip(void);
