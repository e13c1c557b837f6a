/* SPDX-License-Identifier: MIT */
#pragma once

#include "interp.h"

/* struct liege_plugin's sources(): the files of %INC, applications among them, but for those that
 * came with Perl. */
void sources_report(pTHX_ void (*add)(void *data, const char *path), void *data);

/* Those that have been loaded until now will not be reported: they are a base vassal's, and a
 * reload of this instance does not load them anew. */
void sources_skip(pTHX);
