/* SPDX-License-Identifier: MIT */
#pragma once

/* Where Python's threads are, by the faulthandler module: it needs no lock, and works in whatever
 * state the interpreter is. */

/* Before the first fork, so that the workers share what it takes; with the lock. Returns 0 or -1
 * with an exception. */
int stacks_prepare(void);

/* In a worker, with the lock. Returns 0 or -1 with an exception. */
int stacks_start(void);

/* The descriptor's dump(): any thread, without the lock. */
void stacks_dump(int fd);
