/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

struct exchange;

/* Has the complete request of @x answered: sends the static file that it is for, or finds its
 * application and runs it, and logs the request. @base
 * is where the head stands; it stays there during the call. Returns false if the connection has to
 * be cut: the client is gone, or the answer could not be finished. */
bool answer_request(struct exchange *x, const char *base);

/* The same for a static file only, which needs no thread for calls: false if the request is not for
 * one, or sending it might wait for the client; nothing has happened then. Else *@ret_whole is what
 * answer_request() returns. */
bool answer_static(struct exchange *x, const char *base, bool *ret_whole);
