/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/macro.h"

/* The life of a vassal. */
enum vassal_state {
    VASSAL_NEW,        /* known, nothing was done yet */
    VASSAL_ASLEEP,     /* on demand: the Emperor waits for the first connection in its place */
    VASSAL_WAITING,    /* is started when its turn comes, or its base */
    VASSAL_STARTING,   /* its process runs and is not ready; or its base is asked to fork it */
    VASSAL_READY,      /* serves */
    VASSAL_OUTDATED,   /* serves, and is told to read its configuration again when its turn comes */
    VASSAL_RELOADING,  /* serves, and was told to read its configuration again */
    VASSAL_STOPPING,   /* was told to stop; then it is forgotten */
    VASSAL_RESTARTING, /* was told to stop; then it is started again */
    VASSAL_RETIRING,   /* asked to be stopped; then it rests, or sleeps */
    VASSAL_LOST,    /* it cannot be told anything any more, or does not act on it: it has to end */
    VASSAL_BACKOFF, /* ended too early; is started again when its time has come */
    VASSAL_RESTING, /* does not run until its configuration changes */
    VASSAL_HOLDING, /* was told to stop by an operator; then it is held */
    VASSAL_HELD,    /* does not run until an operator starts it, whatever its file does */
    VASSAL_GONE,    /* the record is about to be freed */
    VASSAL_STATE_COUNT,
};

/* What can happen to it. */
enum vassal_event {
    VASSAL_ADDED,      /* its configuration is there, for the first time or again */
    VASSAL_CHANGED,    /* its configuration changed, or somebody wants it loaded again */
    VASSAL_RENEWED,    /* the same, for many at once: it need not be now */
    VASSAL_MOVED,      /* as changed, and what only a start can change is another thing now */
    VASSAL_REMOVED,    /* its configuration is gone, or the Emperor stops */
    VASSAL_CONDEMNED,  /* has to end at once */
    VASSAL_PARDONED,   /* whatever it did is forgiven: SIGURG */
    VASSAL_HALTED,     /* an operator wants it to be down, and to stay down */
    VASSAL_RESUMED,    /* an operator wants it to run, or to be there for its callers again */
    VASSAL_CALLED,     /* somebody connects to the socket of one that sleeps */
    VASSAL_TURN,       /* what it waits for has come */
    VASSAL_BASE_NEWER, /* its base would fork something newer: it need not be now */
    VASSAL_BASE_CAME,  /* vassals are forked from the base that it waits for */
    VASSAL_SAID_READY, /* set up; after a reload: the new generation serves */
    VASSAL_SAID_KEPT,  /* the reload failed, the old generation serves */
    VASSAL_SAID_ACCEPTING,
    VASSAL_SAID_LOYAL,
    VASSAL_ASKED_TO_STOP,
    VASSAL_CLOSED_PIPE,
    VASSAL_SILENT, /* it did not say in time what it has to: that it lives, or is ready */
    VASSAL_ENDED,  /* after a life that earned it another one */
    VASSAL_ENDED_EARLY,
    VASSAL_ENDED_EXILED, /* with the code that says: do not start me again */
    VASSAL_CAN_SLEEP,    /* on demand: it does not run, and need not */
    VASSAL_FAILED,       /* it cannot be started: no process, or no socket */
    VASSAL_UNBORN,       /* its base has not forked it: that was no life of its own */
    VASSAL_TIMER,
    VASSAL_EVENT_COUNT,
};

/* What the Emperor does then, after the vassal is in its next state. */
enum vassal_action {
    VASSAL_IGNORE,   /* nothing; the state stays too */
    VASSAL_ENTER,    /* nothing more than the next state */
    VASSAL_SLEEP,    /* listen to its socket */
    VASSAL_SLEEP_ON, /* the same as before, but the socket may be another one */
    VASSAL_QUEUE,    /* line up for a turn (pace.h) */
    VASSAL_AWAIT,    /* until its base is there, or is to be asked again */
    VASSAL_THROTTLE, /* set the timer after which it is its turn (throttle.h) */
    VASSAL_START,
    VASSAL_RELOAD,
    VASSAL_STOP,    /* tell it, and set the timer after which it is killed */
    VASSAL_CURSE,   /* only set that timer */
    VASSAL_DUMP,    /* have it say where it hangs, and set a short timer */
    VASSAL_KILL,    /* it and its process group */
    VASSAL_DELAY,   /* set the timer after which it is started */
    VASSAL_RELEASE, /* let the record go */
    VASSAL_ACTION_COUNT,
};

struct vassal_step {
    enum vassal_action action;
    enum vassal_state next;
};

/* The cell of the table. */
struct vassal_step vassal_step(enum vassal_state state, enum vassal_event event);

const char *vassal_state_name(enum vassal_state state);

/* -ENOENT: no state has this name. */
int vassal_state_find(const char *name, enum vassal_state *ret) _must_check_;
