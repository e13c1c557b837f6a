/* SPDX-License-Identifier: MIT */
/* Lines of vassals and of the Emperor on their way to its standard error. That may be a pipe which
 * somebody reads slowly or not at all: what it does not take is kept up to a bound and written when
 * there is room; beyond the bound whole lines are dropped, counted, and the number is said in the
 * log where they are missing. A file takes everything, and is waited for as long as a disk needs.
 *
 * Lines of several processes do not mix as long as each write(2) has whole lines of PIPE_BUF bytes
 * together: then a pipe takes all of it or nothing. Used by vassal-log.c, and by base/log.c through
 * emperor.c. */
#include "emperor/log-out.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#define OWN_BYTES ((size_t)128 << 10) /* that vassals leave to the Emperor */

static uint64_t count_lines(const char *lines, size_t len)
{
    uint64_t n = 0;

    for (const char *at = lines, *end = lines + len; (at = memchr(at, '\n', (size_t)(end - at)));)
        n++, at++;
    return n;
}

/* The length of what is written at once. */
static size_t next_piece(const struct log_out *o, const char *lines, size_t len)
{
    if (o->is_file || len <= PIPE_BUF)
        return len;
    const char *last = memrchr(lines, '\n', PIPE_BUF);
    return last ? (size_t)(last - lines) + 1 : PIPE_BUF;
}

/* Returns how much was taken, or is lost because the disk is full or nobody reads the log any more:
 * there is nobody to tell. */
static size_t write_some(const struct log_out *o, const char *lines, size_t len)
{
    size_t done = 0;

    while (done < len) {
        size_t piece = next_piece(o, lines + done, len - done);
        ssize_t n = o->is_socket ? send(o->io.fd, lines + done, piece, MSG_NOSIGNAL | MSG_DONTWAIT)
                                 : write(o->io.fd, lines + done, piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            return len;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return done;
}

/* What is listened to follows from what is kept. */
static void update_waiting(struct log_out *o)
{
    bool wanted = buf_len(&o->pending) > 0;

    if (wanted == o->waiting)
        return;
    if (!wanted)
        loop_io_remove(o->loop, &o->io);
    else if (loop_io_add(o->loop, &o->io, EPOLLOUT) < 0)
        return; /* the next line tries again */
    o->waiting = wanted;
}

/* Says how many lines are missing once there is room for what follows. */
static void say_lost(struct log_out *o)
{
    char line[256];

    if (o->n_lost == o->n_said || buf_len(&o->pending) > LOG_OUT_PENDING_BYTES / 2)
        return;
    size_t len = log_line(line, sizeof(line), LOG_WARNING,
                          "%" PRIu64 " lines are missing here: the log is read too slowly",
                          o->n_lost - o->n_said);
    if (buf_append(&o->pending, line, len) == 0)
        o->n_said = o->n_lost;
}

/* Keeps as many whole lines as there is room for up to @bound. */
static void keep(struct log_out *o, size_t bound, const char *lines, size_t len)
{
    size_t room = bound - MIN(buf_len(&o->pending), bound);
    size_t n = len;

    if (n > room) {
        const char *last = room > 0 ? memrchr(lines, '\n', room) : NULL;
        n = last ? (size_t)(last - lines) + 1 : 0;
    }
    if (n > 0 && buf_append(&o->pending, lines, n) < 0)
        n = 0;
    o->n_lost += count_lines(lines + n, len - n);
}

static void on_room(struct loop_io *io, uint32_t events)
{
    struct log_out *o = container_of(io, struct log_out, io);

    (void)events;
    buf_consume(&o->pending, write_some(o, buf_at(&o->pending), buf_len(&o->pending)));
    say_lost(o);
    if (buf_len(&o->pending) == 0)
        buf_done(&o->pending);
    update_waiting(o);
}

static void take(struct log_out *o, size_t bound, const char *lines, size_t len)
{
    size_t done = 0;

    if (o->io.fd < 0) {
        (void)!write(STDERR_FILENO, lines, len); /* there is no other place to complain to */
        return;
    }
    if (buf_len(&o->pending) == 0)
        done = write_some(o, lines, len);
    say_lost(o);
    if (done < len)
        keep(o, bound, lines + done, len - done);
    update_waiting(o);
}

void log_out_write(struct log_out *o, const char *lines, size_t len)
{
    /* after lost lines comes their number, and then more lines */
    take(o, o->n_lost == o->n_said ? LOG_OUT_PENDING_BYTES : LOG_OUT_PENDING_BYTES / 2, lines, len);
}

void log_out_say(struct log_out *o, const char *lines, size_t len)
{
    take(o, LOG_OUT_PENDING_BYTES + OWN_BYTES, lines, len);
}

/* A description of our own of what @fd is, for non-blocking concerns all who share one. */
static int open_anew(int fd, mode_t mode)
{
    char path[32];
    int ours = -1;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (S_ISFIFO(mode) || S_ISCHR(mode))
        ours = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (ours < 0)
        ours = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return ours < 0 ? -errno : ours;
}

int log_out_open(struct log_out *o, struct loop *l, int fd)
{
    struct stat st = {0};

    if (fstat(fd, &st) < 0)
        return -errno;
    int ours = open_anew(fd, st.st_mode);
    if (ours < 0)
        return ours;
    *o = (struct log_out){
        .loop = l,
        .io = {.fd = ours, .fn = on_room},
        .is_socket = S_ISSOCK(st.st_mode),
        .is_file = S_ISREG(st.st_mode),
    };
    return 0;
}

void log_out_close(struct log_out *o, uint64_t max_us)
{
    uint64_t now = clock_now_us(), end = now + max_us;

    if (o->io.fd < 0)
        return;
    for (; buf_len(&o->pending) > 0 && now < end; now = clock_now_us()) {
        struct pollfd p = {.fd = o->io.fd, .events = POLLOUT};
        (void)poll(&p, 1, (int)((end - now) / US_PER_MS) + 1);
        on_room(&o->io, EPOLLOUT);
    }
    if (o->waiting)
        loop_io_remove(o->loop, &o->io);
    closep(&o->io.fd);
    o->io.fd = -1;
    o->waiting = false;
    buf_done(&o->pending);
}
