/* SPDX-License-Identifier: MIT */
#pragma once

#include "emperor/court.h"

/* How a vassal comes to what the base has loaded since it was forked: another one is forked beside
 * it, which takes its sockets over, and then its place. Until it serves it has a record of its own,
 * as one that reinforces has; then the two processes are exchanged, so that the vassal stays who it
 * is, and the record goes with the process of before. */

/* Begins. Returns 0, and the vassal hears VASSAL_SAID_READY or VASSAL_SAID_KEPT, or a negative
 * errno. */
int succession_begin(struct court *c, struct vassal *v) _must_check_;

/* The vassal is to load its configuration again: what is under way is ended first, and what is
 * almost over is waited for if there is a @newer base. False: it need not wait. */
bool succession_postpone(struct vassal *v, bool newer);

/* The vassal enters the state @next. */
void succession_hear(struct vassal *v, enum vassal_state next);

/* Something has happened to the record of a successor. */
void succession_follow(struct vassal *successor);

/* The process of a successor is there: the one of before is told. */
void succession_born(struct vassal *successor);

/* A vassal that is about to be started waits until nothing of an earlier succession is left: true
 * with @text. */
bool succession_holds(struct vassal *v, char *text, size_t size);

/* True if a vassal that stops, and whose own process has ended, has another one that has not: it
 * hears VASSAL_ENDED then. Whoever is started by its name finds nobody at its sockets. */
bool succession_is_awaited(const struct vassal *v);

/* The end of the channel between the two that belongs to the successor, or -1. */
int succession_fd(const struct vassal *successor);

/* The record is gone. */
void succession_lose(struct vassal *gone);

/* After an upgrade of the Emperor: @successor, which @v knows nothing of, was to take its place, or
 * has what ran in it before. */
void succession_restore(struct vassal *v, struct vassal *successor);
