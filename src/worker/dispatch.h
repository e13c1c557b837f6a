/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

struct conn;
struct exchange;
struct worker;

/* Who calls the application, and when: complete requests are called at once while this worker has a
 * thread for them. Otherwise they go to the instance's queue, where the first worker that has a
 * thread takes them, or wait here. */

void dispatch_prepare(struct worker *w);

/* Whether entries of the queue are taken: not by a worker that drains while others go on. */
void dispatch_take(struct worker *w, bool takes);

/* True if an entry waits in the queue that this worker should take. */
bool dispatch_has_more(const struct worker *w);

/* True if a thread is free for one more call. */
bool dispatch_may_call(const struct worker *w);

/* True if a request that is complete now may be called now: a thread is free, and none has waited
 * longer. */
bool dispatch_has_turn(const struct worker *w);

/* Around a call: counts it. After one, what waits may have its turn. */
void dispatch_begin(struct worker *w, struct exchange *x);
void dispatch_end(struct worker *w);

/* Another thread leads now, while calls are in progress. */
void dispatch_on_taken(struct worker *w);

/* Has the complete request in c->x->in wait for its turn, here or in the queue; refuses it when too
 * many wait. */
void dispatch_wait(struct conn *c);

/* Whether calls may begin has changed (promote.h). */
void dispatch_on_hold(struct worker *w);

/* A connection whose request waited here is closed. */
void dispatch_forget(struct worker *w);
