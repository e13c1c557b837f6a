/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "emperor/log-out.h"
#include "loop/loop.h"

/* What a vassal's processes write to their standard output and standard error: passed on to the
 * Emperor's log as it is, and the last of it kept, over all lives of the vassal. Positions count
 * the bytes that came since the record was made. */
struct vassal_log {
    struct loop *loop;
    struct log_out *out;   /* NULL: nothing is passed on */
    struct loop_io io;     /* our end of the pipe; fd -1: none */
    char *ring;            /* VASSAL_LOG_BYTES; NULL: nothing has been written yet */
    uint64_t head, passed; /* the ring ends at the one, the log has what is before the other */
    struct list followers; /* struct vassal_log_follower */
};

#define VASSAL_LOG_BYTES    ((size_t)64 << 10) /* that are kept */
#define VASSAL_LOG_LINE_MAX ((size_t)4 << 10)  /* a longer line is passed on in pieces */

/* Somebody who wants to know of new lines: @fn only records, and reads later. */
struct vassal_log_follower {
    struct list link; /* in no list: list_init() */
    void (*fn)(struct vassal_log_follower *f);
};

void vassal_log_init(struct vassal_log *log, struct loop *l, struct log_out *out);

/* Takes over the reading end of a pipe, non-blocking. Returns 0 or a negative errno, and then the
 * pipe is closed. */
int vassal_log_open(struct vassal_log *log, int fd) _must_check_;

/* Takes what is in the pipe, ends a line that was not ended, closes the pipe; the ring stays. */
void vassal_log_close(struct vassal_log *log);

/* Gives the pipe away, as it is, after ending a line that was not ended; -1: there is none. */
int vassal_log_take(struct vassal_log *log);

/* What is kept of @other, which has been passed on already, is kept here as well. */
void vassal_log_append(struct vassal_log *log, const struct vassal_log *other);

/* Appends what is kept to @out. Returns 0 or -ENOMEM. */
int vassal_log_save(const struct vassal_log *log, struct buf *out) _must_check_;

/* The reverse, for a fresh one; the last @n_begun of the @len bytes are a line that was begun. */
void vassal_log_restore(struct vassal_log *log, const char *data, size_t len, size_t n_begun);

/* Lets the ring go; there is no follower any more. */
void vassal_log_done(struct vassal_log *log);

/* Where the last @n lines that are kept begin. */
uint64_t vassal_log_last(const struct vassal_log *log, size_t n);

/* Copies the line that begins at *@pos, with its newline and at most @size bytes of it, and moves
 * *@pos on; 0 if there is no whole line yet. What is not kept any more is passed over, and
 * *@ret_missed has the number of these bytes. */
size_t vassal_log_line(const struct vassal_log *log, uint64_t *pos, char *line, size_t size,
                       uint64_t *ret_missed);
