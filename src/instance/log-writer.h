/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "instance/log-sink.h"

/* A thread that writes lines to sinks, and a ring of memory before it. Whoever gives it lines never
 * waits: when a disk is slow or full and the ring too, lines are dropped, counted, and the number
 * is said as soon as there is room again. */

#define LOG_RING_BYTES ((size_t)4 << 20)
/* A line has room for the longest head that buffer-size allows unless it is set, in JSON, where a
 * byte may become six. */
#define LOG_PUT_MAX_BYTES ((size_t)512 << 10)

struct log_writer;

/* Takes over the sinks @sinks[0 .. n), which are moved. Returns 0 or a negative errno. */
int log_writer_start(struct log_sink *sinks, size_t n, struct log_writer **ret) _must_check_;

/* Gives it @len bytes of whole lines, LOG_PUT_MAX_BYTES at most. */
void log_writer_put(struct log_writer *w, const char *lines, size_t len);

/* Counts lines that were lost before they came here. */
void log_writer_note_lost(struct log_writer *w, uint64_t n_lines);

/* Has files opened anew, after what was given before; each outcome is a line of the log. */
void log_writer_reopen(struct log_writer *w);

/* Lines that were dropped so far. */
uint64_t log_writer_dropped(struct log_writer *w);

/* Waits until everything is written, at most @max_us, then ends it. */
struct log_writer *log_writer_free(struct log_writer *w, uint64_t max_us);
