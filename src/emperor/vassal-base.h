/* SPDX-License-Identifier: MIT */
#pragma once

#include "base/errmsg.h"
#include "emperor/vassal.h"

/* Which vassals fork others (emperor-use-fork-server), at which addresses, and who waits for whom.
 */

/* Whether what the configuration says of bases can be done: 0, or a negative errno with @err. */
int vassal_base_check(const struct emperor_conf *conf, struct errmsg *err) _must_check_;

/* From where the vassal is to be forked: 1 with the address, by which bases are known; 0: it runs a
 * program of its own; or a negative errno with @err. */
int vassal_base_find(const struct vassal *v, char ret[VASSAL_ADDRESS_BYTES],
                     struct errmsg *err) _must_check_;

/* The base at @address, or NULL: none is there. */
struct vassal *vassal_base_at(const struct vassal_realm *realm, const char *address);

/* @v says that vassals are forked from it at @address, with what its @generation has loaded: those
 * who wait for it go on. 0: none can be forked now. It is believed if it may be a base: it runs a
 * program of its own, and is one of vassal-fork-base if that is there. */
void vassal_base_offer(struct vassal *v, const char *address, uint32_t generation);

/* Those who have waited go on, some in each round of the loop. */
void vassal_base_go_on(struct loop_task *t);

/* The process of @v has ended. */
void vassal_base_withdraw(struct vassal *v);

/* A vassal from before an upgrade has what it had offered then. */
void vassal_base_restore(struct vassal *v);

/* True if a step to @action, which leads to a start, has to wait for the vassal's base, whose
 * address is noted, or for the end of what ran in its place; then @text says so. */
bool vassal_base_holds(struct vassal *v, enum vassal_action action, char *text, size_t size);

/* One of those that @base was to fork has been forked, or is not going to be. */
void vassal_base_has_room(struct vassal *base);

/* Of that those hear who wait for it, from the loop: to each a place is promised. */
void vassal_base_give_room(struct loop_task *t);

/* @v does not need the place that it was promised, if it was. */
void vassal_base_give_back(struct vassal *v);

/* The configuration of @v was changed: what does not run may wait for another base now. */
void vassal_base_reconsider(struct vassal *v);

/* The base that the vassal would be forked from now; NULL: none, or it is not there. */
const struct vassal *vassal_base_next(const struct vassal *v);

/* True if that base would fork something else than what runs: it is another one or another process,
 * or has something newer, which nothing is known to be wrong with. */
bool vassal_base_is_newer(const struct vassal *v);

/* True if so, and what runs cannot give way to that. */
bool vassal_base_needs_start(const struct vassal *v);

/* If it is newer, and not only that the base was started again, has the vassal come to that. */
void vassal_base_catch_up(struct vassal *v);

/* True if it could not come to what that base has now. */
bool vassal_base_has_failed(const struct vassal *v);

/* True if what runs was forked from a base, and would have a program of its own now. */
bool vassal_base_is_given_up(const struct vassal *v);
