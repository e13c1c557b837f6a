/* SPDX-License-Identifier: MIT */
/* The ring is written at its head by the loop and read at its tail by the thread, which copies
 * nothing: it writes from the ring with the lock released, and moves the tail when that is done.
 * Lines that would not fit before the end of its memory begin at its start, so none is in two
 * pieces.
 *
 * Lines that say how many are missing may get lost as others do, on a full disk say. Then what they
 * said is still to be said: so it is known of each in the ring. They are not counted themselves.
 *
 * The process forks while the thread is there, and a lock that the thread holds then is locked for
 * ever in the child. So the thread, once it runs, calls nothing that locks but what a fork takes
 * care of: it allocates nothing (its begin does, and is waited for), and knows of no time zone. */
#include "instance/log-writer.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"

#define MAX_NOTES 64 /* with more in the ring, lines are dropped */

/* A line that says how many are missing. */
struct note {
    uint64_t at; /* where it begins */
    uint64_t n_lines;
};

struct log_writer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* it has begun; something to do; everything done */
    struct log_sink *sinks;
    size_t n_sinks;
    bool one_by_one; /* a sink may lose a line in the middle: each is a piece */
    char *ring;
    uint64_t head, tail;          /* bytes so far; the ring has those between */
    uint64_t skip;                /* from here to the end of the ring's memory there is nothing */
    struct note notes[MAX_NOTES]; /* in the ring, oldest first */
    size_t n_notes;
    uint64_t n_dropped, n_said;
    bool started, reopen, stop, stopped;
    char done[256], failed[256]; /* how the lines about a reopening begin */
};

/* With the lock. False: there is no room. */
static bool append(struct log_writer *w, const char *lines, size_t len)
{
    assert(len <= LOG_PUT_MAX_BYTES);
    size_t left = LOG_RING_BYTES - w->head % LOG_RING_BYTES, skipped = len > left ? left : 0;

    if (len + skipped > LOG_RING_BYTES - (w->head - w->tail))
        return false;
    if (skipped > 0)
        w->skip = w->head;
    w->head += skipped;
    memcpy(w->ring + w->head % LOG_RING_BYTES, lines, len);
    w->head += len;
    return true;
}

/* With the lock: says how many lines are missing, as soon as there is room for that. */
static void say_dropped(struct log_writer *w)
{
    char line[256];

    if (w->n_dropped == w->n_said || w->n_notes == MAX_NOTES)
        return;
    size_t len = log_line(line, sizeof(line), LOG_WARNING,
                          "%" PRIu64 " lines are missing here: the log is slower than what is said",
                          w->n_dropped - w->n_said);
    if (!append(w, line, len))
        return;
    w->notes[w->n_notes++] =
        (struct note){.at = w->head - len, .n_lines = w->n_dropped - w->n_said};
    w->n_said = w->n_dropped;
}

void log_writer_put(struct log_writer *w, const char *lines, size_t len)
{
    (void)pthread_mutex_lock(&w->lock);
    say_dropped(w);
    if (w->n_dropped != w->n_said || !append(w, lines, len))
        w->n_dropped += log_sink_count_lines(lines, len);
    (void)pthread_cond_signal(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
}

void log_writer_note_lost(struct log_writer *w, uint64_t n_lines)
{
    (void)pthread_mutex_lock(&w->lock);
    w->n_dropped += n_lines;
    (void)pthread_mutex_unlock(&w->lock);
}

void log_writer_reopen(struct log_writer *w)
{
    (void)pthread_mutex_lock(&w->lock);
    w->done[log_line(w->done, sizeof(w->done), LOG_INFO, "%s", "") - 1] = '\0';
    w->failed[log_line(w->failed, sizeof(w->failed), LOG_ERR, "%s", "") - 1] = '\0';
    w->reopen = true;
    (void)pthread_cond_signal(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
}

uint64_t log_writer_dropped(struct log_writer *w)
{
    (void)pthread_mutex_lock(&w->lock);
    uint64_t n = w->n_dropped;
    (void)pthread_mutex_unlock(&w->lock);
    return n;
}

/* The thread */

/* Opens the files anew and says so in them. With the lock, which is released meanwhile. */
static void reopen(struct log_writer *w)
{
    w->reopen = false;
    for (size_t i = 0; i < w->n_sinks; i++) {
        struct log_sink *s = &w->sinks[i];
        char line[PATH_MAX + 512];
        if (s->kind != LOG_SINK_FILE)
            continue;
        (void)pthread_mutex_unlock(&w->lock);
        int r = log_sink_reopen(s);
        (void)pthread_mutex_lock(&w->lock);
        int n = r < 0 ? snprintf(line, sizeof(line),
                                 "%s%s cannot be opened anew, what was open is written: %s\n",
                                 w->failed, s->argument, strerrordesc_np(-r))
                      : snprintf(line, sizeof(line), "%s%s is opened anew\n", w->done, s->argument);
        (void)append(w, line, (size_t)n);
    }
}

/* With the lock: what is before the tail is no longer in the ring, and what is there from @taken on
 * was lost. Returns how many notes that were. */
static size_t settle_notes(struct log_writer *w, uint64_t taken)
{
    size_t n = 0, n_lost = 0;

    for (; n < w->n_notes && w->notes[n].at < w->tail; n++) {
        if (w->notes[n].at < taken)
            continue;
        w->n_said -= w->notes[n].n_lines;
        n_lost++;
    }
    w->n_notes -= n;
    memmove(w->notes, w->notes + n, w->n_notes * sizeof(*w->notes));
    return n_lost;
}

/* One or more whole lines at the tail of the ring. Returns how many bytes. */
static size_t next_piece(struct log_writer *w)
{
    if (w->tail == w->skip && w->tail % LOG_RING_BYTES > 0)
        w->tail += LOG_RING_BYTES - w->tail % LOG_RING_BYTES;

    size_t at = w->tail % LOG_RING_BYTES;
    size_t len = MIN((size_t)(w->head - w->tail), LOG_RING_BYTES - at);
    if (w->skip > w->tail)
        len = MIN(len, (size_t)(w->skip - w->tail));
    len = MIN(len, LOG_PUT_MAX_BYTES);
    const char *last =
        w->one_by_one ? memchr(w->ring + at, '\n', len) : memrchr(w->ring + at, '\n', len);
    return last ? (size_t)(last - (w->ring + at)) + 1 : len;
}

/* With the lock, which is released meanwhile: writes a piece of the ring. A line is lost if one of
 * several sinks lost it. What a sink loses of a piece is its end, so the most is all. */
static void write_some(struct log_writer *w)
{
    size_t len = next_piece(w), n_lost = 0, least = len;
    const char *lines = w->ring + w->tail % LOG_RING_BYTES;

    (void)pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->n_sinks; i++) {
        size_t taken = 0, n = log_sink_write(&w->sinks[i], lines, len, &taken);
        n_lost = MAX(n_lost, n);
        least = MIN(least, taken);
    }
    (void)pthread_mutex_lock(&w->lock);
    uint64_t taken = w->tail + least;
    w->tail += len;
    w->n_dropped += n_lost - settle_notes(w, taken);
}

static void *run(void *data)
{
    struct log_writer *w = data;

    (void)pthread_mutex_lock(&w->lock);
    w->started = true;
    (void)pthread_cond_signal(&w->changed);
    for (;;) {
        if (w->head != w->tail) {
            write_some(w);
        } else if (w->reopen) {
            reopen(w);
        } else if (w->stop) {
            break;
        } else {
            (void)pthread_cond_wait(&w->changed, &w->lock);
        }
    }
    w->stopped = true;
    (void)pthread_cond_signal(&w->changed);
    (void)pthread_mutex_unlock(&w->lock);
    return NULL;
}

int log_writer_start(struct log_sink *sinks, size_t n, struct log_writer **ret)
{
    struct log_writer *w = calloc(1, sizeof(*w));
    sigset_t all, old;

    if (!w)
        return -ENOMEM;
    *w = (struct log_writer){
        .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .n_sinks = n};
    w->sinks = calloc(n + 1, sizeof(*w->sinks));
    w->ring = malloc(LOG_RING_BYTES);
    int r = w->sinks && w->ring ? 0 : -ENOMEM;
    if (r == 0) {
        memcpy(w->sinks, sinks, n * sizeof(*sinks));
        for (size_t i = 0; i < n; i++)
            w->one_by_one = w->one_by_one || log_sink_sends_lines(&sinks[i]);
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &old);
        r = -pthread_create(&w->thread, NULL, run, w);
        (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    }
    if (r < 0) {
        free(w->sinks);
        free(w->ring);
        free(w);
        return r;
    }
    (void)pthread_mutex_lock(&w->lock);
    while (!w->started)
        (void)pthread_cond_wait(&w->changed, &w->lock);
    (void)pthread_mutex_unlock(&w->lock);
    *ret = w;
    return 0;
}

struct log_writer *log_writer_free(struct log_writer *w, uint64_t max_us)
{
    struct timespec until;
    int r = 0;

    if (!w)
        return NULL;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += (time_t)(max_us / US_PER_SEC);
    (void)pthread_mutex_lock(&w->lock);
    w->stop = true;
    (void)pthread_cond_signal(&w->changed);
    while (!w->stopped && r == 0)
        r = pthread_cond_timedwait(&w->changed, &w->lock, &until);
    bool stopped = w->stopped;
    (void)pthread_mutex_unlock(&w->lock);
    if (!stopped) {
        (void)pthread_detach(w->thread); /* it waits for a disk: the process ends without it */
        return NULL;
    }
    (void)pthread_join(w->thread, NULL);
    for (size_t i = 0; i < w->n_sinks; i++)
        log_sink_close(&w->sinks[i]);
    free(w->sinks);
    free(w->ring);
    free(w);
    return NULL;
}
