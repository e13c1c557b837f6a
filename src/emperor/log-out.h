/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "loop/loop.h"

/* The end of the Emperor's log: lines go to one descriptor, and nobody waits for it. */
struct log_out {
    struct loop *loop;
    struct loop_io io;       /* fd -1: not open */
    bool is_socket, is_file; /* what it is */
    bool waiting;            /* for room */
    struct buf pending;      /* not taken yet */
    uint64_t n_lost;         /* lines that were dropped so far */
    uint64_t n_said;         /* of them, those that the log itself speaks of */
};

/* More than this is not kept for a descriptor that takes nothing. */
#define LOG_OUT_PENDING_BYTES ((size_t)1 << 20)

/* Lines go to what @fd is, which stays the caller's and is not changed: others may use it. A pipe
 * or a terminal is opened anew for that, which needs the rights to do so; if they are missing @fd
 * itself is used, and may be waited for. Returns 0 or a negative errno. */
int log_out_open(struct log_out *o, struct loop *l, int fd) _must_check_;

/* Writes @len bytes of lines, keeps what is not taken at once, drops whole lines when that is too
 * much. Before log_out_open() they go to descriptor 2. */
void log_out_write(struct log_out *o, const char *lines, size_t len);

/* The same for lines of the Emperor's own: vassals leave some room to them. */
void log_out_say(struct log_out *o, const char *lines, size_t len);

/* Gives what is kept @max_us to be taken, then closes. */
void log_out_close(struct log_out *o, uint64_t max_us);
