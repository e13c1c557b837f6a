/* SPDX-License-Identifier: MIT */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h wants the four above */
#include <cmocka.h>

#include <stdbool.h>

#include "base/macro.h"
#include "base/proc.h"

/* What the tests of processes, descriptors and sockets share. A failure in here fails the test. */

/* A folder of its own for a test: mkdtemp(3) into @path; removed with the files in it, which must
 * be no more than that. */
#define UNIT_FOLDER "/tmp/liege-unit.XXXXXX"
void unit_make_folder(char path[sizeof(UNIT_FOLDER)]);
void unit_remove_folder(const char *path);

/* How many descriptors this process has open. */
size_t unit_count_fds(void);

/* Descriptor 2 goes into a file of no name until unit_end_capture(), which gives what was written
 * as a string that the caller frees. */
void unit_begin_capture(void);
char *unit_end_capture(void);

/* Runs @fn in a forked child. Returns the child's exit code (0 when @fn returned), or 128 + the
 * signal that ended it. In there cmocka's assertions would run the rest of the tests a second time:
 * UNIT_CHECK() is for it, and ends the child with code 1. */
int unit_run_child(void (*fn)(void *data), void *data);

/* The two halves of it, for children that run at the same time. */
struct proc unit_start_child(void (*fn)(void *data), void *data);
int unit_wait_child(struct proc *child);

#define UNIT_CHECK(condition) unit_check((condition), #condition, __FILE__, __LINE__)
void unit_check(bool good, const char *condition, const char *file, int line);

/* Waits until @fd is readable (or at its end); gives up, failing the test, after a long time. */
void unit_wait_readable(int fd);
