/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

/* One file may hold the configurations of several vassals: each in a section called vassal:NAME, of
 * whatever format the file is, and what they have in common in the usual sections. FILE:NAME names
 * one of them. */

/* True for a section whose settings count when no other one is asked for. */
bool part_is_common(const char *section);

/* NAME of "vassal:NAME", or NULL for another section. */
const char *part_of_section(const char *section);
