/* SPDX-License-Identifier: MIT */
#pragma once

#include "conf/conf.h"
#include "emperor/emperor-conf.h"

#define REGISTRY_MAX_TABLES 24

/* Fills @tables with the options of every program: first the Emperor's, whose values go to
 * @emperor, then those that are known here only to be passed on or refused (without an object).
 * Returns how many there are. */
size_t registry_fill(struct emperor_conf *emperor, struct conf_table tables[REGISTRY_MAX_TABLES]);
