/* SPDX-License-Identifier: MIT */
#pragma once

#include <signal.h>
#include <stdbool.h>

#include "base/macro.h"
#include "emperor/vassal-state.h"
#include "emperor/vassal.h"

/* How the lives of a vassal ended before, and what follows for the next one. */

/* Which end it was, of the life that is over; notes it. */
enum vassal_event vassal_past_judge(struct vassal *v, const siginfo_t *end);

/* One that reinforces another has ended: if it was of no use, calls for another one are not heard
 * for a while. */
void vassal_past_tell_lord(struct vassal *v);

/* The back-off of one more early end. */
void vassal_past_raise_delay(struct vassal *v);

/* Nothing is held against it any more. */
void vassal_past_forgive(struct vassal *v);

/* True if the start that @event leads to, by @action, is one that the throttle paces. */
bool vassal_past_is_throttled(const struct vassal *v, enum vassal_event event,
                              enum vassal_action action);

/* Logs that its state has changed from @old, unless that is said of it too often. */
void vassal_past_log(struct vassal *v, enum vassal_state old, const char *reason);

/* v->lasts: after many short lives this one is none. */
void vassal_past_on_lasts(struct loop_timer *t);
