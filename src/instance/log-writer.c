/* SPDX-License-Identifier: MIT */
/* The ring is written at its head by the loop and read at its tail by the thread, which copies
 * nothing: it writes from the ring with the lock released, and moves the tail when that is done.
 *
 * The process forks while the thread is there, and a lock that the thread holds then is locked for
 * ever in the child. So the thread, once it runs, calls nothing that locks but what a fork takes
 * care of: it allocates nothing (its begin does, and is waited for), and knows of no time zone. */
#include "instance/log-writer.h"

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

#define WRITE_MAX_BYTES ((size_t)256 * 1024) /* at a time */

struct log_writer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* it has begun; something to do; everything done */
    struct log_sink *sinks;
    size_t n_sinks;
    char *ring;
    uint64_t head, tail; /* bytes so far; the ring has those between */
    uint64_t n_dropped, n_said;
    bool started, reopen, stop, stopped;
    char done[256], failed[256]; /* how the lines about a reopening begin */
};

static size_t count_lines(const char *lines, size_t len)
{
    size_t n = 0;

    for (const char *at = lines, *end = lines + len; (at = memchr(at, '\n', (size_t)(end - at)));)
        n++, at++;
    return n;
}

/* With the lock. False: there is no room. */
static bool append(struct log_writer *w, const char *lines, size_t len)
{
    size_t at = w->head % LOG_RING_BYTES, first = MIN(len, LOG_RING_BYTES - at);

    if (len > LOG_RING_BYTES - (w->head - w->tail))
        return false;
    memcpy(w->ring + at, lines, first);
    memcpy(w->ring, lines + first, len - first);
    w->head += len;
    return true;
}

/* With the lock: says how many lines are missing, as soon as there is room for that. */
static void say_dropped(struct log_writer *w)
{
    char line[256];

    if (w->n_dropped == w->n_said)
        return;
    size_t len = log_line(line, sizeof(line), LOG_WARNING,
                          "%" PRIu64 " lines are missing here: the log is slower than what is said",
                          w->n_dropped - w->n_said);
    if (append(w, line, len))
        w->n_said = w->n_dropped;
}

void log_writer_put(struct log_writer *w, const char *lines, size_t len)
{
    (void)pthread_mutex_lock(&w->lock);
    say_dropped(w);
    if (w->n_dropped != w->n_said || !append(w, lines, len))
        w->n_dropped += count_lines(lines, len);
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

/* With the lock, which is released meanwhile: writes a piece of the ring. */
static void write_some(struct log_writer *w)
{
    size_t at = w->tail % LOG_RING_BYTES;
    size_t len = MIN((size_t)(w->head - w->tail), LOG_RING_BYTES - at);
    size_t n_failed = 0;

    len = MIN(len, WRITE_MAX_BYTES);
    /* Sinks get whole lines, except where the ring ends in the middle of one. */
    const char *last = memrchr(w->ring + at, '\n', len);
    if (last)
        len = (size_t)(last - (w->ring + at)) + 1;
    (void)pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->n_sinks; i++)
        n_failed += log_sink_write(&w->sinks[i], w->ring + at, len) < 0;
    size_t n_lines = n_failed > 0 ? count_lines(w->ring + at, len) : 0;
    (void)pthread_mutex_lock(&w->lock);
    w->tail += len;
    w->n_dropped += n_lines;
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
