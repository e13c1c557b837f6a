/* SPDX-License-Identifier: MIT */
/* The log of a process: lines on a descriptor, each written with one write(2), so that lines of
 * several processes that share the descriptor never mix. Lines over LINE_MAX_BYTES are cut.
 *
 * base, loop, ipc, conf, http and proto never log above debug; the modules that know whose fault it
 * is (emperor, instance, worker, cli) log once. */
#include "base/log.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_BYTES 4096

static char subject[256];
static int max_level = LOG_INFO;
static int log_fd = STDERR_FILENO;
static _Atomic(uint64_t) *n_lost; /* lines; may be NULL */
static log_writer_fn *writer;     /* NULL: lines go to the descriptor */
static void *writer_data;

static const char *level_word(int level)
{
    if (level <= LOG_ERR)
        return "error: ";
    if (level == LOG_WARNING)
        return "warning: ";
    return level == LOG_DEBUG ? "debug: " : "";
}

void log_set_subject(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(subject, sizeof(subject), fmt, ap);
    va_end(ap);
}

const char *log_subject(void)
{
    return subject;
}

void log_set_max_level(int level)
{
    max_level = level;
}

bool log_enabled(int level)
{
    return level <= max_level;
}

static size_t format_line(char *line, size_t size, int level, const char *text, size_t len)
{
    struct timespec now = {0};
    struct tm tm = {0};

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)localtime_r(&now.tv_sec, &tm);
    size_t used = strftime(line, size, "%Y-%m-%d %H:%M:%S", &tm);
    int n = snprintf(line + used, size - used, ".%03ld %s%s%s%s%.*s", now.tv_nsec / 1000000,
                     *subject ? "[" : "", subject, *subject ? "] " : "", level_word(level),
                     (int)len, text);
    used = MIN(used + (size_t)n, size - 1);
    line[used++] = '\n';
    return used;
}

size_t log_line(char *buf, size_t size, int level, const char *fmt, ...)
{
    char text[LINE_MAX_BYTES];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return format_line(buf, size, level, text, MIN((size_t)MAX(n, 0), sizeof(text) - 1));
}

void log_set_fd(int fd, _Atomic(uint64_t) *lost)
{
    log_fd = fd;
    n_lost = lost;
}

void log_set_writer(log_writer_fn *fn, void *data)
{
    writer = fn;
    writer_data = data;
}

static uint64_t count_lines(const char *lines, size_t len)
{
    uint64_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += lines[i] == '\n';
    return n;
}

void log_write(const char *lines, size_t len)
{
    if (writer)
        writer(lines, len, writer_data);
    else if (write(log_fd, lines, len) < 0 && n_lost) /* there is no other place to complain to */
        atomic_fetch_add_explicit(n_lost, count_lines(lines, len), memory_order_relaxed);
}

static void write_line(int level, const char *text, size_t len)
{
    char line[LINE_MAX_BYTES];

    log_write(line, format_line(line, sizeof(line), level, text, len));
}

void log_text(int level, const char *text, size_t len)
{
    if (!log_enabled(level))
        return;
    while (len > 0) {
        const char *end = memchr(text, '\n', len);
        size_t n = end ? (size_t)(end - text) : len;

        write_line(level, text, n);
        n += end != NULL;
        text += n;
        len -= n;
    }
}

bool log_limit_allows(struct log_limit *l, uint64_t now_us)
{
    uint64_t second = now_us / US_PER_SEC;

    if (l->second == second && l->n_said >= LOG_LIMIT_LINES) {
        l->n_kept++;
        return false;
    }
    if (l->second != second) {
        if (l->n_kept > 0)
            log_warning("%u more lines like the next one were left out", l->n_kept);
        *l = (struct log_limit){.second = second};
    }
    l->n_said++;
    return true;
}

int log_full(int level, int error, const char *fmt, ...)
{
    char text[LINE_MAX_BYTES];
    va_list ap;

    if (!log_enabled(level))
        return -abs(error);

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    size_t used = MIN((size_t)MAX(n, 0), sizeof(text) - 1);
    if (error != 0) {
        n = snprintf(text + used, sizeof(text) - used, ": %s", strerror(abs(error)));
        used = MIN(used + (size_t)n, sizeof(text) - 1);
    }
    log_text(level, text, used);
    return -abs(error);
}
