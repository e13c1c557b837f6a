/* SPDX-License-Identifier: MIT */
#pragma once

/* The modules `liege` and, the same under its other name, `uwsgi`, which applications import. */

/* Makes them importable. Before the interpreter starts. Returns 0 or -1. */
int api_register(void);

/* Imports them, so that they are there before the first fork. Returns 0, or -1 with an exception
 * set. */
int api_start(void);

/* The host has become another instance's. Returns 0, or -1 with an exception set. */
int api_adopt(void);

/* Calls the function that the application stored in the module as @name, if it did. Returns 0, or
 * -1 when it raised an exception, which is in the log then. */
int api_call_hook(const char *name);
