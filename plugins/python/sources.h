/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/* struct liege_plugin's sources(), for modules that are not the standard library's. Holds the GIL.
 */
void sources_report(void (*add)(void *data, const char *path), void *data);
