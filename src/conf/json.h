/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/macro.h"
#include "conf/line.h"

/* The parser of JSON files, a conf_parse_fn. */
int json_parse(const char *file, char *text, size_t len, conf_line_fn *fn, void *userdata,
               struct errmsg *err) _must_check_;
