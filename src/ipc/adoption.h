/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/errmsg.h"
#include "base/macro.h"
#include "base/proc.h"
#include "liege/option.h"

/* How an Emperor has a base vassal fork a vassal for it: over a connection to the base's UNIX
 * socket, one for each, in uWSGI's form, of which more bits are used than uWSGI knows.
 *
 *   request: 35, size (16 bits, little-endian), enum adoption_part bits; then the command line, for
 *            each argument its length (16 bits) and its bytes. The parts are descriptors, in the
 *            order of their bits, that come with the first byte.
 *   answer:  35, size, 0; then pairs of texts with their lengths in front: "pid" and the number in
 *            decimal, with a pidfd for it; or "error" and why there is none.
 *
 * The request is read by the process that was forked for it, so nobody else waits for it. The
 * answer is that process's: the kernel says who sends it. */

#define ADOPTION_MODIFIER1 35

enum adoption_part {
    ADOPTION_PIPE,         /* ipc/bytes.h; always there */
    ADOPTION_CONFIG,       /* ipc/config-pipe.h: the configuration is in no file */
    ADOPTION_SOCKET,       /* listens already: of an on-demand vassal */
    ADOPTION_STATUS,       /* ipc/status.h */
    ADOPTION_LOG,          /* becomes descriptor 1, and 2 if there is no ADOPTION_ERRORS */
    ADOPTION_OLDER,        /* to the master whose place it takes (instance/takeover.h) */
    ADOPTION_SURROUNDINGS, /* a file in memory: ipc/surroundings.h */
    ADOPTION_ERRORS,       /* becomes descriptor 2 */
    ADOPTION_PART_COUNT,
};

struct adoption_request {
    struct liege_list argv;       /* as for execve(2) */
    int fds[ADOPTION_PART_COUNT]; /* -1: there is none */
};

#define ADOPTION_REQUEST_NONE ((struct adoption_request){.fds = {-1, -1, -1, -1, -1, -1, -1, -1}})

/* Closes the descriptors. */
void adoption_request_done(struct adoption_request *r);

/* Connects to the base @address, without waiting: the socket learns who sends. -EPERM if it is not
 * @base that listens there; -EAGAIN if too many are waiting. Returns the descriptor, non-blocking,
 * or a negative errno. */
int adoption_connect(const char *address, pid_t base) _must_check_;

/* Sends the request without waiting. Returns 0, or a negative errno: -E2BIG for a command line of
 * more than 64 KiB. */
int adoption_send(int fd, const struct adoption_request *r) _must_check_;

/* Receives it; waits for as long as ADOPTION_WAIT_MS. The result is to be released either way.
 * Returns 0, or a negative errno with @err. */
int adoption_receive(int fd, struct adoption_request *ret, struct errmsg *err) _must_check_;

#define ADOPTION_WAIT_MS 4000 /* for each part, as uWSGI waits */

/* The new process's word that it is there. Returns 0 or a negative errno: nobody wants it. */
int adoption_answer(int fd) _must_check_;

/* There will be none. */
void adoption_refuse(int fd, const char *why);

/* What has been answered: 1 with *@ret, a child of ours and of the base's user, which the base has
 * given the connection to; -EAGAIN: nothing yet. Else there is none, with the reason in @err:
 * -ECONNRESET if the base has closed the connection without an answer, -EREMOTEIO if it has
 * refused, -EPROTO if the answer is not to be trusted, -ECHILD if the process has ended already. */
int adoption_hear(int fd, struct proc *ret, struct errmsg *err) _must_check_;
