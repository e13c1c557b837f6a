/* SPDX-License-Identifier: MIT */
#pragma once

#include "app/app.h"

/* Where the threads of this process are, for the log: the interpreters' stacks as the languages
 * show them, then each thread's own, which shows what a C library is doing. It works whatever the
 * threads are at, also when one of them keeps an interpreter's lock. */

/* Loads what is needed for that, unless it is there. In a process that forks workers, so that each
 * of them has it. */
void stacks_prepare(void);

/* To be called once, before there are threads. */
void stacks_start(void);

/* The signal by which a thread is asked for its stack: not to be blocked. */
int stacks_signal(void);

/* Writes lines to the log, as errors, of a process that is about to end. Takes some milliseconds.
 */
void stacks_log(const struct apps *apps);

/* The same of a process that goes on, as information. */
void stacks_show(const struct apps *apps);
