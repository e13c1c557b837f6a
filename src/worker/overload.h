/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct conn;
struct worker;

/* Requests that have waited for too long.
 *
 * Overload is when for some seconds every request has had to wait, and clients have lost their
 * patience: they were gone when their turn came. From then on nothing waits for longer than
 * overload-wait: it is answered 503 instead, at once if those before it have waited that long. Of a
 * queue that grows and never ends, first come, first served would answer only those that are about
 * to leave. A burst, and any number of patient clients, is worked off. */

/* True if there is an overload and what waits since @ready_us waits for too long. */
bool overload_is_late(const struct worker *w, uint64_t ready_us);

/* A request that has waited since @ready_us gets its turn. False: it waited for too long. */
bool overload_in_time(struct worker *w, uint64_t ready_us);

/* Answers 503 with Retry-After, and closes. */
void overload_refuse(struct conn *c);

/* A client has closed its side of the connection while its request has waited since @since_us. True
 * if that means that it has gone. One that sends "Connection: close" may do so and wait for the
 * answer all the same, but not for long. */
bool overload_has_left(const struct conn *c, uint64_t since_us);

/* Before a request is called that has just been read: true if it may be. Else its client had gone
 * and
 * @c is closed, or it had waited for too long and was refused. */
bool overload_admit(struct conn *c);
