/* SPDX-License-Identifier: MIT */
/* The state machine of a vassal, all of it: what happens in which state leads to which action and
 * which next state. A cell that is not listed changes nothing. vassal.c acts on it; nobody else
 * decides about the life of a vassal. */
#include "emperor/vassal-state.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/macro.h"

/* clang-format off */
static const char *const state_names[] = {
    [VASSAL_NEW]        = "new",
    [VASSAL_ASLEEP]     = "asleep",
    [VASSAL_WAITING]    = "waiting",
    [VASSAL_STARTING]   = "starting",
    [VASSAL_READY]      = "ready",
    [VASSAL_OUTDATED]   = "outdated",
    [VASSAL_RELOADING]  = "reloading",
    [VASSAL_STOPPING]   = "stopping",
    [VASSAL_RESTARTING] = "restarting",
    [VASSAL_RETIRING]   = "retiring",
    [VASSAL_LOST]       = "lost",
    [VASSAL_BACKOFF]    = "backoff",
    [VASSAL_RESTING]    = "resting",
    [VASSAL_HOLDING]    = "holding",
    [VASSAL_HELD]       = "held",
    [VASSAL_GONE]       = "gone",
};
static_assert(COUNT_OF(state_names) == VASSAL_STATE_COUNT, "one name for each state");

static const struct vassal_step steps[VASSAL_STATE_COUNT][VASSAL_EVENT_COUNT] = {
    [VASSAL_NEW] = {
        [VASSAL_ADDED]          = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_REMOVED]        = { VASSAL_RELEASE,  VASSAL_GONE },
        [VASSAL_CONDEMNED]      = { VASSAL_RELEASE,  VASSAL_GONE },
        [VASSAL_HALTED]         = { VASSAL_ENTER,    VASSAL_HELD },
        [VASSAL_CAN_SLEEP]      = { VASSAL_SLEEP,    VASSAL_ASLEEP },
        [VASSAL_FAILED]         = { VASSAL_DELAY,    VASSAL_BACKOFF },
    },
    /* What changed is read when it starts; that it sleeps no more is an addition. */
    [VASSAL_ASLEEP] = {
        [VASSAL_ADDED]          = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_REMOVED]        = { VASSAL_RELEASE,  VASSAL_GONE },
        [VASSAL_CONDEMNED]      = { VASSAL_RELEASE,  VASSAL_GONE },
        [VASSAL_HALTED]         = { VASSAL_ENTER,    VASSAL_HELD },
        [VASSAL_RESUMED]        = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_CALLED]         = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_CAN_SLEEP]      = { VASSAL_SLEEP_ON, VASSAL_ASLEEP },
        [VASSAL_FAILED]         = { VASSAL_DELAY,    VASSAL_BACKOFF },
    },
    [VASSAL_WAITING] = {
        [VASSAL_REMOVED]        = { VASSAL_RELEASE,  VASSAL_GONE },
        [VASSAL_CONDEMNED]      = { VASSAL_RELEASE,  VASSAL_GONE },
        [VASSAL_PARDONED]       = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_HALTED]         = { VASSAL_ENTER,    VASSAL_HELD },
        [VASSAL_TURN]           = { VASSAL_START,    VASSAL_STARTING },
        [VASSAL_BASE_CAME]      = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_CAN_SLEEP]      = { VASSAL_SLEEP,    VASSAL_ASLEEP },
        [VASSAL_FAILED]         = { VASSAL_DELAY,    VASSAL_BACKOFF },
        [VASSAL_TIMER]          = { VASSAL_QUEUE,    VASSAL_WAITING },
    },
    /* It serves nobody: what it began is of no use once its configuration is another one. */
    [VASSAL_STARTING] = {
        [VASSAL_CHANGED]        = { VASSAL_KILL,     VASSAL_RESTARTING },
        [VASSAL_RENEWED]        = { VASSAL_KILL,     VASSAL_RESTARTING },
        [VASSAL_MOVED]          = { VASSAL_KILL,     VASSAL_RESTARTING },
        [VASSAL_REMOVED]        = { VASSAL_STOP,     VASSAL_STOPPING },
        [VASSAL_CONDEMNED]      = { VASSAL_KILL,     VASSAL_STOPPING },
        [VASSAL_HALTED]         = { VASSAL_STOP,     VASSAL_HOLDING },
        [VASSAL_SAID_READY]     = { VASSAL_ENTER,    VASSAL_READY },
        [VASSAL_SAID_ACCEPTING] = { VASSAL_ENTER,    VASSAL_READY },
        [VASSAL_SAID_LOYAL]     = { VASSAL_ENTER,    VASSAL_READY },
        [VASSAL_ASKED_TO_STOP]  = { VASSAL_STOP,     VASSAL_RETIRING },
        [VASSAL_CLOSED_PIPE]    = { VASSAL_CURSE,    VASSAL_LOST },
        [VASSAL_SILENT]         = { VASSAL_DUMP,     VASSAL_LOST },
        [VASSAL_ENDED]          = { VASSAL_THROTTLE, VASSAL_WAITING },
        [VASSAL_ENDED_EARLY]    = { VASSAL_DELAY,    VASSAL_BACKOFF },
        [VASSAL_ENDED_EXILED]   = { VASSAL_ENTER,    VASSAL_RESTING },
        [VASSAL_CAN_SLEEP]      = { VASSAL_SLEEP,    VASSAL_ASLEEP },
        [VASSAL_FAILED]         = { VASSAL_DELAY,    VASSAL_BACKOFF },
        [VASSAL_UNBORN]         = { VASSAL_AWAIT,    VASSAL_WAITING },
    },
    [VASSAL_READY] = {
        [VASSAL_CHANGED]        = { VASSAL_RELOAD,   VASSAL_RELOADING },
        [VASSAL_RENEWED]        = { VASSAL_QUEUE,    VASSAL_OUTDATED },
        [VASSAL_MOVED]          = { VASSAL_STOP,     VASSAL_RESTARTING },
        [VASSAL_REMOVED]        = { VASSAL_STOP,     VASSAL_STOPPING },
        [VASSAL_CONDEMNED]      = { VASSAL_KILL,     VASSAL_STOPPING },
        [VASSAL_HALTED]         = { VASSAL_STOP,     VASSAL_HOLDING },
        [VASSAL_BASE_NEWER]     = { VASSAL_QUEUE,    VASSAL_OUTDATED },
        [VASSAL_ASKED_TO_STOP]  = { VASSAL_STOP,     VASSAL_RETIRING },
        [VASSAL_CLOSED_PIPE]    = { VASSAL_CURSE,    VASSAL_LOST },
        [VASSAL_SILENT]         = { VASSAL_RELOAD,   VASSAL_RELOADING },
        [VASSAL_ENDED]          = { VASSAL_THROTTLE, VASSAL_WAITING },
        [VASSAL_ENDED_EARLY]    = { VASSAL_DELAY,    VASSAL_BACKOFF },
        [VASSAL_ENDED_EXILED]   = { VASSAL_ENTER,    VASSAL_RESTING },
        [VASSAL_CAN_SLEEP]      = { VASSAL_SLEEP,    VASSAL_ASLEEP },
        [VASSAL_FAILED]         = { VASSAL_DELAY,    VASSAL_BACKOFF },
    },
    [VASSAL_OUTDATED] = {
        [VASSAL_CHANGED]        = { VASSAL_RELOAD,   VASSAL_RELOADING },
        [VASSAL_MOVED]          = { VASSAL_STOP,     VASSAL_RESTARTING },
        [VASSAL_REMOVED]        = { VASSAL_STOP,     VASSAL_STOPPING },
        [VASSAL_CONDEMNED]      = { VASSAL_KILL,     VASSAL_STOPPING },
        [VASSAL_HALTED]         = { VASSAL_STOP,     VASSAL_HOLDING },
        [VASSAL_TURN]           = { VASSAL_RELOAD,   VASSAL_RELOADING },
        [VASSAL_ASKED_TO_STOP]  = { VASSAL_STOP,     VASSAL_RETIRING },
        [VASSAL_CLOSED_PIPE]    = { VASSAL_CURSE,    VASSAL_LOST },
        [VASSAL_SILENT]         = { VASSAL_RELOAD,   VASSAL_RELOADING },
        [VASSAL_ENDED]          = { VASSAL_THROTTLE, VASSAL_WAITING },
        [VASSAL_ENDED_EARLY]    = { VASSAL_DELAY,    VASSAL_BACKOFF },
        [VASSAL_ENDED_EXILED]   = { VASSAL_ENTER,    VASSAL_RESTING },
        [VASSAL_CAN_SLEEP]      = { VASSAL_SLEEP,    VASSAL_ASLEEP },
        [VASSAL_FAILED]         = { VASSAL_DELAY,    VASSAL_BACKOFF },
    },
    /* Accepting and loyal may still come from the old generation: only ready ends a reload. */
    [VASSAL_RELOADING] = {
        [VASSAL_CHANGED]        = { VASSAL_RELOAD,   VASSAL_RELOADING },
        [VASSAL_RENEWED]        = { VASSAL_RELOAD,   VASSAL_RELOADING },
        [VASSAL_MOVED]          = { VASSAL_STOP,     VASSAL_RESTARTING },
        [VASSAL_REMOVED]        = { VASSAL_STOP,     VASSAL_STOPPING },
        [VASSAL_CONDEMNED]      = { VASSAL_KILL,     VASSAL_STOPPING },
        [VASSAL_HALTED]         = { VASSAL_STOP,     VASSAL_HOLDING },
        [VASSAL_BASE_NEWER]     = { VASSAL_RELOAD,   VASSAL_RELOADING },
        [VASSAL_SAID_READY]     = { VASSAL_ENTER,    VASSAL_READY },
        [VASSAL_SAID_KEPT]      = { VASSAL_ENTER,    VASSAL_READY },
        [VASSAL_ASKED_TO_STOP]  = { VASSAL_STOP,     VASSAL_RETIRING },
        [VASSAL_CLOSED_PIPE]    = { VASSAL_CURSE,    VASSAL_LOST },
        [VASSAL_SILENT]         = { VASSAL_DUMP,     VASSAL_LOST },
        [VASSAL_ENDED]          = { VASSAL_THROTTLE, VASSAL_WAITING },
        [VASSAL_ENDED_EARLY]    = { VASSAL_DELAY,    VASSAL_BACKOFF },
        [VASSAL_ENDED_EXILED]   = { VASSAL_ENTER,    VASSAL_RESTING },
        [VASSAL_CAN_SLEEP]      = { VASSAL_SLEEP,    VASSAL_ASLEEP },
        [VASSAL_FAILED]         = { VASSAL_DELAY,    VASSAL_BACKOFF },
    },
    [VASSAL_STOPPING] = {
        [VASSAL_ADDED]          = { VASSAL_CURSE,    VASSAL_RESTARTING },
        [VASSAL_CONDEMNED]      = { VASSAL_KILL,     VASSAL_STOPPING },
        [VASSAL_UNBORN]         = { VASSAL_RELEASE,  VASSAL_GONE },
        [VASSAL_TIMER]          = { VASSAL_KILL,     VASSAL_STOPPING },
        [VASSAL_ENDED]          = { VASSAL_RELEASE,  VASSAL_GONE },
        [VASSAL_ENDED_EARLY]    = { VASSAL_RELEASE,  VASSAL_GONE },
        [VASSAL_ENDED_EXILED]   = { VASSAL_RELEASE,  VASSAL_GONE },
        [VASSAL_CAN_SLEEP]      = { VASSAL_RELEASE,  VASSAL_GONE },
        [VASSAL_FAILED]         = { VASSAL_RELEASE,  VASSAL_GONE },
    },
    [VASSAL_RESTARTING] = {
        [VASSAL_REMOVED]        = { VASSAL_CURSE,    VASSAL_STOPPING },
        [VASSAL_CONDEMNED]      = { VASSAL_KILL,     VASSAL_STOPPING },
        [VASSAL_HALTED]         = { VASSAL_CURSE,    VASSAL_HOLDING },
        [VASSAL_UNBORN]         = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_TIMER]          = { VASSAL_KILL,     VASSAL_RESTARTING },
        [VASSAL_ENDED]          = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_ENDED_EARLY]    = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_ENDED_EXILED]   = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_CAN_SLEEP]      = { VASSAL_SLEEP,    VASSAL_ASLEEP },
        [VASSAL_FAILED]         = { VASSAL_DELAY,    VASSAL_BACKOFF },
    },
    [VASSAL_RETIRING] = {
        [VASSAL_CHANGED]        = { VASSAL_CURSE,    VASSAL_RESTARTING },
        [VASSAL_RENEWED]        = { VASSAL_CURSE,    VASSAL_RESTARTING },
        [VASSAL_MOVED]          = { VASSAL_CURSE,    VASSAL_RESTARTING },
        [VASSAL_REMOVED]        = { VASSAL_CURSE,    VASSAL_STOPPING },
        [VASSAL_CONDEMNED]      = { VASSAL_KILL,     VASSAL_STOPPING },
        [VASSAL_HALTED]         = { VASSAL_CURSE,    VASSAL_HOLDING },
        [VASSAL_RESUMED]        = { VASSAL_CURSE,    VASSAL_RESTARTING },
        [VASSAL_TIMER]          = { VASSAL_KILL,     VASSAL_RETIRING },
        [VASSAL_ENDED]          = { VASSAL_ENTER,    VASSAL_RESTING },
        [VASSAL_ENDED_EARLY]    = { VASSAL_DELAY,    VASSAL_BACKOFF },
        [VASSAL_ENDED_EXILED]   = { VASSAL_ENTER,    VASSAL_RESTING },
        [VASSAL_CAN_SLEEP]      = { VASSAL_SLEEP,    VASSAL_ASLEEP },
        [VASSAL_FAILED]         = { VASSAL_DELAY,    VASSAL_BACKOFF },
    },
    /* Mostly it is just dying: its end, which follows, is judged as if the pipe were open. */
    [VASSAL_LOST] = {
        [VASSAL_CHANGED]        = { VASSAL_KILL,     VASSAL_RESTARTING },
        [VASSAL_RENEWED]        = { VASSAL_KILL,     VASSAL_RESTARTING },
        [VASSAL_MOVED]          = { VASSAL_KILL,     VASSAL_RESTARTING },
        [VASSAL_REMOVED]        = { VASSAL_KILL,     VASSAL_STOPPING },
        [VASSAL_CONDEMNED]      = { VASSAL_KILL,     VASSAL_STOPPING },
        [VASSAL_HALTED]         = { VASSAL_KILL,     VASSAL_HOLDING },
        [VASSAL_TIMER]          = { VASSAL_KILL,     VASSAL_LOST },
        [VASSAL_ENDED]          = { VASSAL_THROTTLE, VASSAL_WAITING },
        [VASSAL_ENDED_EARLY]    = { VASSAL_DELAY,    VASSAL_BACKOFF },
        [VASSAL_ENDED_EXILED]   = { VASSAL_ENTER,    VASSAL_RESTING },
        [VASSAL_CAN_SLEEP]      = { VASSAL_SLEEP,    VASSAL_ASLEEP },
        [VASSAL_FAILED]         = { VASSAL_DELAY,    VASSAL_BACKOFF },
    },
    [VASSAL_BACKOFF] = {
        [VASSAL_ADDED]          = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_CHANGED]        = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_RENEWED]        = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_MOVED]          = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_REMOVED]        = { VASSAL_RELEASE,  VASSAL_GONE },
        [VASSAL_CONDEMNED]      = { VASSAL_RELEASE,  VASSAL_GONE },
        [VASSAL_PARDONED]       = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_HALTED]         = { VASSAL_ENTER,    VASSAL_HELD },
        [VASSAL_RESUMED]        = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_CAN_SLEEP]      = { VASSAL_SLEEP,    VASSAL_ASLEEP },
        [VASSAL_FAILED]         = { VASSAL_DELAY,    VASSAL_BACKOFF },
        [VASSAL_TIMER]          = { VASSAL_THROTTLE, VASSAL_WAITING },
    },
    [VASSAL_RESTING] = {
        [VASSAL_ADDED]          = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_CHANGED]        = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_RENEWED]        = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_MOVED]          = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_REMOVED]        = { VASSAL_RELEASE,  VASSAL_GONE },
        [VASSAL_CONDEMNED]      = { VASSAL_RELEASE,  VASSAL_GONE },
        [VASSAL_HALTED]         = { VASSAL_ENTER,    VASSAL_HELD },
        [VASSAL_RESUMED]        = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_CAN_SLEEP]      = { VASSAL_SLEEP,    VASSAL_ASLEEP },
        [VASSAL_FAILED]         = { VASSAL_DELAY,    VASSAL_BACKOFF },
    },
    [VASSAL_HOLDING] = {
        [VASSAL_REMOVED]        = { VASSAL_CURSE,    VASSAL_STOPPING },
        [VASSAL_CONDEMNED]      = { VASSAL_KILL,     VASSAL_STOPPING },
        [VASSAL_RESUMED]        = { VASSAL_CURSE,    VASSAL_RESTARTING },
        [VASSAL_ENDED]          = { VASSAL_ENTER,    VASSAL_HELD },
        [VASSAL_ENDED_EARLY]    = { VASSAL_ENTER,    VASSAL_HELD },
        [VASSAL_ENDED_EXILED]   = { VASSAL_ENTER,    VASSAL_HELD },
        [VASSAL_CAN_SLEEP]      = { VASSAL_ENTER,    VASSAL_HELD },
        [VASSAL_FAILED]         = { VASSAL_ENTER,    VASSAL_HELD },
        [VASSAL_UNBORN]         = { VASSAL_ENTER,    VASSAL_HELD },
        [VASSAL_TIMER]          = { VASSAL_KILL,     VASSAL_HOLDING },
    },
    /* Changes of its configuration count when it is started. */
    [VASSAL_HELD] = {
        [VASSAL_REMOVED]        = { VASSAL_RELEASE,  VASSAL_GONE },
        [VASSAL_CONDEMNED]      = { VASSAL_RELEASE,  VASSAL_GONE },
        [VASSAL_RESUMED]        = { VASSAL_QUEUE,    VASSAL_WAITING },
        [VASSAL_CAN_SLEEP]      = { VASSAL_SLEEP,    VASSAL_ASLEEP },
        [VASSAL_FAILED]         = { VASSAL_DELAY,    VASSAL_BACKOFF },
    },
    [VASSAL_GONE] = { { VASSAL_IGNORE, VASSAL_GONE } },
};
/* clang-format on */

struct vassal_step vassal_step(enum vassal_state state, enum vassal_event event)
{
    assert(state < VASSAL_STATE_COUNT && event < VASSAL_EVENT_COUNT);

    struct vassal_step step = steps[state][event];
    if (step.action == VASSAL_IGNORE)
        step.next = state;
    return step;
}

const char *vassal_state_name(enum vassal_state state)
{
    assert(state < VASSAL_STATE_COUNT);

    return state_names[state];
}

int vassal_state_find(const char *name, enum vassal_state *ret)
{
    for (int s = 0; s < VASSAL_STATE_COUNT; s++)
        if (strcmp(state_names[s], name) == 0) {
            *ret = (enum vassal_state)s;
            return 0;
        }
    return -ENOENT;
}
