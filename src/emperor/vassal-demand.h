/* SPDX-License-Identifier: MIT */
#pragma once

#include "emperor/vassal.h"

/* Whether a vassal runs on demand, and by which socket: what its monitor says, or one of the
 * options emperor-on-demand-extension, -directory, -exec. */

/* Looks it up anew and then hands @event to the vassal, for the reason @why; instead of it
 * VASSAL_CAN_SLEEP if nothing runs and nothing has to, VASSAL_MOVED if what runs has to start anew
 * because of its socket, or VASSAL_FAILED if there is no socket to be had. Asking a command takes a
 * while: then the event comes later, and only the last one that does anything. */
void vassal_settle(struct vassal *v, enum vassal_event event, const char *why);

/* The process has ended: a socket that was changed meanwhile is changed now. Returns 0 or a
 * negative errno, which is logged. */
int vassal_settle_ended(struct vassal *v) _must_check_;

/* Has a socket that an Emperor before this one held: @fd, of @address, with its @file. Returns 0 or
 * a negative errno, and then the descriptor is closed. */
int vassal_settle_adopt(struct vassal *v, const char *address, const struct sock_file *file,
                        int fd) _must_check_;

/* True if something of this is still to come, so that who takes over the record has to look it up
 * again. */
bool vassal_settle_is_owed(const struct vassal *v);

/* Of the command that is asked now; 0: none is. */
pid_t vassal_settle_pid(const struct vassal *v);

/* What is to come is of no interest any more. */
void vassal_settle_forget(struct vassal *v);

/* Gives up the socket and any question about it. */
void vassal_settle_done(struct vassal *v);
