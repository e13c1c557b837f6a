/* SPDX-License-Identifier: MIT */
#pragma once

#include "liege/plugin.h"

/* The host and what is said to it. Set once by the plugin's start(), before anything else runs. */
extern const struct liege_host *python_host;

/* Writes lines to the log of the instance. */
void host_log(enum liege_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Stores the sentence for the operator and returns @code. */
int host_error(struct liege_error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
