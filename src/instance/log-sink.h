/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/cred.h"
#include "base/errmsg.h"

/* Where the lines of an instance's log go. Writing may wait for a disk or a peer: that is the
 * business of a thread (log-writer.h), not of a loop. */

enum log_sink_kind {
    LOG_SINK_STDIO, /* the standard error that the master was started with */
    LOG_SINK_FILE,
    LOG_SINK_SYSLOG,
    LOG_SINK_JOURNALD, /* systemd's */
    LOG_SINK_KIND_COUNT,
};

struct log_sink {
    enum log_sink_kind kind;
    char *argument; /* path of a file, or the name that syslog and the journal show */
    int fd;         /* -1: none */
    bool torn;      /* what was written last ends within a line */
};

/* Checks "file:PATH", "syslog", "syslog:NAME", "journald", "journald:NAME", "stdio", or a path
 * alone. Returns 0, or -EINVAL with a sentence in @reason. */
int log_sink_check(const char *text, char *reason, size_t size) _must_check_;

/* Opens what log_sink_check() accepts. A file that is made will belong to @owner. Returns 0, or a
 * negative errno with @err. */
int log_sink_open(struct log_sink *s, const char *text, const struct cred *owner,
                  struct errmsg *err) _must_check_;
void log_sink_close(struct log_sink *s);

/* Opens the file once more, which may be another one by now; what was open stays if that fails.
 * Does nothing for other kinds. Returns 0 or a negative errno. */
int log_sink_reopen(struct log_sink *s) _must_check_;

/* Writes whole lines; waits as long as it takes. Returns how many were lost, and in @ret_taken the
 * bytes before the first of these; a file loses all that follow. A line that a full disk took a
 * part of is lost; the next one begins a line all the same. */
size_t log_sink_write(struct log_sink *s, const char *lines, size_t len,
                      size_t *ret_taken) _must_check_;

/* True if it gets each line apart, so that it may lose one and take the next. */
bool log_sink_sends_lines(const struct log_sink *s);

size_t log_sink_count_lines(const char *lines, size_t len);
