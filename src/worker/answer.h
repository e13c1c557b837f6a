/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

struct exchange;

/* Has the complete request of @x answered: finds its application, runs it, logs the request. @base
 * is where the head stands; it stays there during the call. Returns false if the connection has to
 * be cut: the client is gone, or the answer could not be finished. */
bool answer_request(struct exchange *x, const char *base);
