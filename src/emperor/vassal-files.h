/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "base/macro.h"

struct stamp;
struct vassal;

/* The files that the configuration of a vassal includes, by its own words. */

/* It has read this file for its configuration; NULL: it begins anew. */
void vassal_reads(struct vassal *v, const char *path);

/* The same, of a file that was as @stamp says then. Returns 0 or -ENOMEM. */
int vassal_note_file(struct vassal *v, const char *path, const struct stamp *stamp) _must_check_;

/* Has its monitor look after those files. False: one of them is not as it was then, which counts.
 */
bool vassal_watch_files(struct vassal *v);

/* Frees what is noted of them. */
void vassal_forget_files(struct vassal *v);
