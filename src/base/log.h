/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

#include "base/macro.h"

/* One line a call, on descriptor 2: "2026-01-31 12:00:00.123 [vassal a.ini] warning: text". The
 * subject of a line comes first, then the act, then the cause. A text with newlines becomes several
 * lines with the same head, so that a traceback carries its vassal's name on each line. */

/* Names the process in each line from now on: "emperor", "vassal a.ini", "vassal a.ini worker 1".
 */
void log_set_subject(const char *fmt, ...) _printf_(1, 2);
const char *log_subject(void);

/* Lines go to @fd from now on, which is not waited for when it is non-blocking: what it does not
 * take is lost, and counted if @ret_lost is not NULL. Starts as descriptor 2. */
void log_set_fd(int fd, _Atomic(uint64_t) *ret_lost);

/* Lines are given to @fn from now on, which does not log itself; NULL: to the descriptor again. */
typedef void log_writer_fn(const char *lines, size_t len, void *data);
void log_set_writer(log_writer_fn *fn, void *data);

/* Writes @len bytes of whole lines there. */
void log_write(const char *lines, size_t len);

/* Lines less urgent than @level (LOG_ERR .. LOG_DEBUG of syslog.h) are left out; starts as
 * LOG_INFO. */
void log_set_max_level(int level);
bool log_enabled(int level);

/* Writes a whole line, with stamp, subject and newline, into @buf instead. Returns its length. */
size_t log_line(char *buf, size_t size, int level, const char *fmt, ...) _printf_(4, 5);

int log_full(int level, int error, const char *fmt, ...) _printf_(3, 4);

/* Writes @text, which may have several lines and need not end with a newline, a line at a time. */
void log_text(int level, const char *text, size_t len);

/* At most so many lines a second of what a client can bring about. All zero is a valid start. */
struct log_limit {
    uint64_t second;
    unsigned n_said, n_kept; /* lines in this second; lines that were left out since the last one */
};

#define LOG_LIMIT_LINES 100

/* True if a line may be written now. When lines were left out before, that is said first. */
bool log_limit_allows(struct log_limit *l, uint64_t now_us);

/* Returns -abs(@error), so "return log_errno(LOG_ERR, r, ...)" logs once and fails. */
#define log_errno(level, error, ...) log_full(level, error, __VA_ARGS__)
#define log_error(...)               ((void)log_full(LOG_ERR, 0, __VA_ARGS__))
#define log_warning(...)             ((void)log_full(LOG_WARNING, 0, __VA_ARGS__))
#define log_info(...)                ((void)log_full(LOG_INFO, 0, __VA_ARGS__))
#define log_debug(...)               ((void)(log_enabled(LOG_DEBUG) ? log_full(LOG_DEBUG, 0, __VA_ARGS__) : 0))
