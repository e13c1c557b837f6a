/* SPDX-License-Identifier: MIT */
#pragma once

#include "emperor/vassal.h"

/* What the Emperor's configuration has done around the lives of vassals (hook-as-emperor and its
 * like, base/hook.h). Hooks run in a child of the Emperor and find in their environment which
 * vassal it is about; nobody but that vassal waits for them. */

enum vassal_hook_kind {
    VASSAL_HOOK_BEFORE,  /* it is started when these have been done */
    VASSAL_HOOK_STARTED, /* it was started */
    VASSAL_HOOK_ASLEEP,  /* it waits for its first connection */
    VASSAL_HOOK_CHANGED, /* its configuration changed while it did */
    VASSAL_HOOK_COUNT,
};

/* True if there is something to do. */
bool vassal_hook_exists(const struct vassal *v, enum vassal_hook_kind kind);

/* Has it done. After VASSAL_HOOK_BEFORE the vassal gets VASSAL_TURN, or VASSAL_FAILED if one of
 * them failed, which it gets of the last two kinds as well; unless it has come to another state. */
void vassal_hook_run(struct vassal *v, enum vassal_hook_kind kind);

/* The vassal does not wait any more: what has to be done before a start is given up, and the end of
 * the rest is counted in realm->n_last_hooks. */
void vassal_hook_forget(struct vassal *v);

/* Runs vassals-start-hook before the program of @argv, in the same process: puts a shell in front
 * of it. Returns 0 or -ENOMEM. */
int vassal_hook_wrap(const char *command, const char *name, struct liege_list *argv) _must_check_;

/* Runs vassals-stop-hook for a vassal that is gone; realm->n_last_hooks counts it until it ends. */
void vassal_hook_stopped(const struct vassal *v);
