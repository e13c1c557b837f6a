/* SPDX-License-Identifier: MIT */
#pragma once

#include "python-conf.h"

/* The interpreter: one in the process, the main one. Every call but wait_end() holds the GIL. */

/* Starts Python as @conf says, with `import liege` ready, and leaves the GIL with the caller.
 * Returns 0, or a negative errno with @err. */
int interp_start(const struct python_conf *conf, struct liege_error *err);

/* Before forks: puts all that was loaded out of the garbage collector's reach, so that the pages
 * stay shared, and writes out what is buffered. Returns false if that has been done. */
bool interp_settle(void);

/* Code of the application is about to run: what comes of it is to be settled before a fork. */
void interp_unsettle(void);

/* Around a fork. What is not settled is then. */
void interp_before_fork(void);
void interp_after_fork_parent(void);
void interp_after_fork_child(void);

/* Gives the GIL away and takes it back. A thread that Python does not know yet comes in by
 * interp_wait_end(). */
void interp_wait_begin(void);
void interp_wait_end(void);

/* Runs the exit handlers and flushes the standard streams. The interpreter is not taken down: that
 * would touch, and so copy, each page that the workers share. Does not wait for threads. */
void interp_stop(void);
