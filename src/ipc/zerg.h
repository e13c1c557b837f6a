/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "base/fd-pass.h"
#include "base/macro.h"

/* How instances share listening sockets, in uWSGI's way: who connects to a UNIX stream socket is
 * sent one message, the greeting, an int with the number of sockets, and the sockets themselves
 * (SCM_RIGHTS). Then the connection is over. */

#define ZERG_GREETING "uwsgi-zerg"
#define ZERG_MAX_FDS  FD_PASS_MAX

/* Sends the @n sockets @fds over the new connection @fd, without waiting. Returns 0 or a negative
 * errno; -E2BIG if they are too many. */
int zerg_send(int fd, const int *fds, size_t n) _must_check_;

/* Receives from @fd what zerg_send() sends, within @timeout_us. Returns how many descriptors are in
 * @ret_fds, which are the caller's and may be anything; or a negative errno: -EPROTO if it is no
 * such message, -ETIMEDOUT. Nothing is left open then. */
int zerg_receive(int fd, uint64_t timeout_us, int ret_fds[ZERG_MAX_FDS]) _must_check_;

/* Asks the server at @address, a path or @NAME, for its sockets. It waits for @timeout_us at most,
 * so it is for the time before a loop. Returns as zerg_receive(), with @err. */
int zerg_ask(const char *address, uint64_t timeout_us, int ret_fds[ZERG_MAX_FDS],
             struct errmsg *err) _must_check_;
