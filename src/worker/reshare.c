/* SPDX-License-Identifier: MIT */
/* Whoever writes to the heap while this is done would lose it. No call of the application is in
 * progress then; a follower of the crew that is not asleep yet writes only to what is the worker's
 * own, in pages that no base has the same of, and holds signals (crew.c). But a thread of the
 * application's own does what it likes, and so do devices with memory that they were given: where
 * there are some, memory stays as it is. */
#include "worker/reshare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/snapshot.h"
#include "worker/worker-private.h"

#define MAX_STATUS_BYTES ((size_t)16 * 1024)
#define MAX_TRIES        3 /* until the next request: a thread may be about to end */

static void wait_until(struct worker *w, uint64_t at_us)
{
    w->reshare.waits = true;
    loop_timer_set(w->loop, &w->reshare.timer, at_us);
}

/* A number of /proc/self/status (proc_pid_status(5)); ULONG_MAX if it is not there. */
static unsigned long number_of(const char *status, const char *field)
{
    const char *at = strstr(status, field);

    return at ? strtoul(at + strlen(field), NULL, 10) : ULONG_MAX;
}

/* Others may write to the heap; also if it cannot be found out. */
static bool others_write(const struct worker *w)
{
    _cleanup_free_ char *status = NULL;
    size_t len = 0;

    if (file_read_all("/proc/self/status", MAX_STATUS_BYTES, &status, &len) < 0)
        return true;
    return number_of(status, "\nThreads:") > w->crew.n_members || number_of(status, "\nVmPin:") > 0;
}

/* A shortage may be over the next time. */
static bool may_pass(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EAGAIN;
}

/* Some of it; what is ready meanwhile is done before the rest. */
static void reshare(struct worker *w)
{
    struct reshare *r = &w->reshare;
    const uint64_t now_us = loop_now_us(w->loop);

    if (others_write(w)) {
        r->at = 0;
        if (++r->n_tries < MAX_TRIES)
            wait_until(w, now_us + w->conf->reshare_after_us);
        return;
    }
    long n = snapshot_return(&r->at);
    if (n < 0 && !may_pass((int)n)) {
        (void)log_errno(LOG_INFO, (int)n, "memory is not shared again with the base");
        r->on = false;
    } else if (n >= 0 && r->at != 0) {
        wait_until(w, now_us + 1); /* in the next round of the loop */
    }
}

static void on_timer(struct loop_timer *t)
{
    struct worker *w = container_of(t, struct worker, reshare.timer);
    struct reshare *r = &w->reshare;
    const uint64_t due_us = r->quiet_us + w->conf->reshare_after_us;

    r->waits = false;
    if (w->n_open > 0 || w->stopping)
        return;         /* the next quiet begins later */
    if (w->n_calls > 0) /* of a request whose client has gone */
        wait_until(w, loop_now_us(w->loop) + w->conf->reshare_after_us);
    else if (loop_now_us(w->loop) < due_us)
        wait_until(w, due_us);
    else
        reshare(w);
}

void reshare_on_quiet(struct worker *w)
{
    struct reshare *r = &w->reshare;

    if (!r->on)
        return;
    r->quiet_us = loop_now_us(w->loop);
    r->n_tries = 0;
    r->at = 0;
    if (!r->waits)
        wait_until(w, r->quiet_us + w->conf->reshare_after_us);
}

void reshare_start(struct worker *w)
{
    w->reshare = (struct reshare){
        .on = snapshot_exists() && w->conf->reshare_after_us > 0,
        .timer.fn = on_timer,
    };
    loop_update_now(w->loop);
    reshare_on_quiet(w);
}
