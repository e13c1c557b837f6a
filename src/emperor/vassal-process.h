/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/macro.h"

struct errmsg;
struct launch;
struct launched;
struct vassal;
struct vassal_realm;

/* The process of a vassal, from its start to its end. */

/* How its process is started, for as long as it is there. */
struct launch vassal_launch(const struct vassal *v);

/* Starts that process and takes it over. Returns 0, or a negative errno with @err. */
int vassal_start_program(struct vassal *v, struct errmsg *err) _must_check_;

/* Takes over a process that runs, with our ends of what it has. Returns 0 or a negative errno; then
 * the process is told to end, and forgotten. */
int vassal_adopt(struct vassal *v, struct launched *started) _must_check_;

/* Each has the process of the other from now on, with all that belongs to it. One that cannot be
 * taken over is told to end, and its new record has none. Returns 0, or a negative errno if that is
 * @a. */
int vassal_exchange(struct vassal *a, struct vassal *b) _must_check_;

/* Kills it, and all of its process group. None runs: does nothing. */
void vassal_kill(struct vassal *v);

/* The same, and forgets it: the record is about to be freed. */
void vassal_process_done(struct vassal *v);

/* True if somebody of the realm takes care of the end of this process. */
bool realm_awaits(const struct vassal_realm *realm, pid_t pid);
