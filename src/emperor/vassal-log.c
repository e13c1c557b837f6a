/* SPDX-License-Identifier: MIT */
/* A vassal's log. Its pipe is read in portions, one each time the loop comes by, so that a vassal
 * that floods delays the others by no more than that; what a portion has of whole lines is passed
 * on in one go, and the beginning of a line waits in the ring for its end. The ring is made when
 * the first byte comes, and its pages are used as they fill: a vassal that has written little costs
 * little, one that never ran nothing.
 *
 * The vassal's processes may write anything: nothing of it is looked at but newlines. Used by
 * vassal.c; control-log.c reads what is kept. */
#include "emperor/vassal-log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define READ_BYTES  ((size_t)64 << 10)
#define LAST_ROUNDS 32 /* portions taken from a pipe that is about to be closed */

static_assert(VASSAL_LOG_LINE_MAX < VASSAL_LOG_BYTES, "the beginning of a line fits in the ring");

static uint64_t oldest(const struct vassal_log *log)
{
    return log->head > VASSAL_LOG_BYTES ? log->head - VASSAL_LOG_BYTES : 0;
}

/* Copies @len bytes from @pos on; they are in the ring. */
static void ring_get(const struct vassal_log *log, uint64_t pos, char *data, size_t len)
{
    if (len == 0)
        return;
    size_t at = pos % VASSAL_LOG_BYTES, first = MIN(len, VASSAL_LOG_BYTES - at);
    memcpy(data, log->ring + at, first);
    memcpy(data + first, log->ring, len - first);
}

/* Without memory for a ring nothing is kept. */
static void ring_put(struct vassal_log *log, const char *data, size_t len)
{
    if (!log->ring)
        log->ring = malloc(VASSAL_LOG_BYTES);
    if (!log->ring)
        return;
    size_t skip = len - MIN(len, VASSAL_LOG_BYTES);
    size_t at = (log->head + skip) % VASSAL_LOG_BYTES;
    size_t first = MIN(len - skip, VASSAL_LOG_BYTES - at);
    memcpy(log->ring + at, data + skip, first);
    memcpy(log->ring, data + skip + first, len - skip - first);
    log->head += len;
}

static void pass(struct vassal_log *log, const char *lines, size_t len)
{
    if (log->out && len > 0)
        log_out_write(log->out, lines, len);
}

static void tell(struct vassal_log *log)
{
    LIST_FOREACH (it, &log->followers) {
        struct vassal_log_follower *f = container_of(it, struct vassal_log_follower, link);
        f->fn(f);
    }
}

/* One portion. Returns what read(2) says. */
static ssize_t take_some(struct vassal_log *log)
{
    char text[VASSAL_LOG_LINE_MAX + READ_BYTES];
    size_t carried = (size_t)(log->head - log->passed);

    ring_get(log, log->passed, text, carried);
    ssize_t n = read(log->io.fd, text + carried, READ_BYTES);
    if (n <= 0)
        return n;
    ring_put(log, text + carried, (size_t)n);

    size_t len = carried + (size_t)n;
    const char *last = memrchr(text, '\n', len);
    size_t whole = last ? (size_t)(last - text) + 1 : 0;
    if (len - whole > VASSAL_LOG_LINE_MAX || !log->ring)
        whole = len;
    pass(log, text, whole);
    log->passed = log->head - (log->ring ? len - whole : 0);
    tell(log);
    return n;
}

/* The line that was begun is a line now. */
static void end_line(struct vassal_log *log)
{
    char text[VASSAL_LOG_LINE_MAX + 1];
    size_t len = (size_t)(log->head - log->passed);

    if (len == 0)
        return;
    ring_get(log, log->passed, text, len);
    text[len] = '\n';
    ring_put(log, "\n", 1);
    pass(log, text, len + 1);
    log->passed = log->head;
    tell(log);
}

static void close_pipe(struct vassal_log *log)
{
    if (log->io.fd < 0)
        return;
    end_line(log);
    loop_io_remove(log->loop, &log->io);
    closep(&log->io.fd);
    log->io.fd = -1;
}

static void on_pipe(struct loop_io *io, uint32_t events)
{
    struct vassal_log *log = container_of(io, struct vassal_log, io);

    (void)events;
    ssize_t n = take_some(log);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        close_pipe(log); /* it has closed its standard output and error */
}

void vassal_log_init(struct vassal_log *log, struct loop *l, struct log_out *out)
{
    *log = (struct vassal_log){.loop = l, .out = out, .io = {.fd = -1, .fn = on_pipe}};
    list_init(&log->followers);
}

int vassal_log_open(struct vassal_log *log, int fd)
{
    log->io.fd = fd;
    int r = loop_io_add(log->loop, &log->io, EPOLLIN);
    if (r < 0) {
        closep(&log->io.fd);
        log->io.fd = -1;
    }
    return r;
}

void vassal_log_close(struct vassal_log *log)
{
    for (int i = 0; i < LAST_ROUNDS && log->io.fd >= 0; i++)
        if (take_some(log) <= 0)
            break;
    close_pipe(log);
}

int vassal_log_take(struct vassal_log *log)
{
    int fd = log->io.fd;

    if (fd < 0)
        return fd;
    end_line(log);
    loop_io_remove(log->loop, &log->io);
    log->io.fd = -1;
    return fd;
}

void vassal_log_append(struct vassal_log *log, const struct vassal_log *other)
{
    _cleanup_(buf_done) struct buf b = {0};

    if (vassal_log_save(other, &b) < 0 || buf_len(&b) == 0)
        return; /* these lines are in the Emperor's log */
    ring_put(log, buf_at(&b), buf_len(&b));
    log->passed = log->head;
    tell(log);
}

int vassal_log_save(const struct vassal_log *log, struct buf *out)
{
    char text[4096];

    for (uint64_t pos = oldest(log); log->ring && pos < log->head;) {
        size_t len = MIN(sizeof(text), (size_t)(log->head - pos));
        ring_get(log, pos, text, len);
        if (buf_append(out, text, len) < 0)
            return -ENOMEM;
        pos += len;
    }
    return 0;
}

void vassal_log_restore(struct vassal_log *log, const char *data, size_t len, size_t n_begun)
{
    if (len > 0)
        ring_put(log, data, len);
    n_begun = MIN(n_begun, VASSAL_LOG_LINE_MAX); /* as much as a begun line can have */
    log->passed = log->head - MIN(n_begun, (size_t)log->head);
}

void vassal_log_done(struct vassal_log *log)
{
    close_pipe(log);
    free(log->ring);
    log->ring = NULL;
}

/* The first position from @pos on that @c is before, or the end. */
static uint64_t after_newline(const struct vassal_log *log, uint64_t pos)
{
    while (pos < log->head) {
        size_t at = pos % VASSAL_LOG_BYTES;
        size_t len = MIN((size_t)(log->head - pos), VASSAL_LOG_BYTES - at);
        const char *end = memchr(log->ring + at, '\n', len);
        if (end)
            return pos + (size_t)(end - (log->ring + at)) + 1;
        pos += len;
    }
    return pos;
}

/* Where the first whole line begins. */
static uint64_t first_line(const struct vassal_log *log)
{
    uint64_t pos = oldest(log);

    return pos > 0 ? after_newline(log, pos) : 0;
}

uint64_t vassal_log_last(const struct vassal_log *log, size_t n)
{
    size_t n_lines = 0;
    uint64_t pos = first_line(log);

    for (uint64_t at = pos; at < log->head; at = after_newline(log, at))
        n_lines++;
    for (; n_lines > n; n_lines--)
        pos = after_newline(log, pos);
    return pos;
}

size_t vassal_log_line(const struct vassal_log *log, uint64_t *pos, char *line, size_t size,
                       uint64_t *ret_missed)
{
    *ret_missed = 0;
    if (*pos < oldest(log)) {
        uint64_t first = first_line(log);
        *ret_missed = first - *pos;
        *pos = first;
    }
    uint64_t end = after_newline(log, *pos);
    if (end == *pos || (end == log->head && log->head != log->passed))
        return 0; /* what is kept ends within this line */
    size_t len = MIN((size_t)(end - *pos), size);
    ring_get(log, *pos, line, len);
    *pos += len;
    return len;
}
