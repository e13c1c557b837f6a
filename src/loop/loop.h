/* SPDX-License-Identifier: MIT */
#pragma once

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/list.h"
#include "base/macro.h"

/* The event loop of every process: one epoll descriptor, a heap of deadlines, signals by signalfd,
 * ends of processes by pidfd. Sources are embedded in the objects that own them, so that adding one
 * allocates nothing; the callback finds its object with container_of(). An idle loop makes no
 * system call. Callbacks may add and remove any source, themselves included. */
struct loop;

int loop_new(struct loop **ret) _must_check_;
struct loop *loop_free(struct loop *l);

#define LOOP_YIELDED INT_MIN

/* Runs until loop_stop(). Returns the code that loop_stop() was given, or a negative errno. May be
 * called again.
 *
 * One thread at a time. While a callback is in progress another thread may run the loop, if the
 * callback touches nothing of it before that one has returned: what was left of the round is done
 * first. So loop_run() of the first thread goes on when the callback returns. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int code);

/* From a callback: makes loop_run() return LOOP_YIELDED as soon as the callback is over. What is
 * left of the round waits for the next loop_run(). */
void loop_yield(struct loop *l);

/* How often the loop has begun to wait: it tells a loop that goes on from one that hangs in a
 * callback. May be called by any thread. */
unsigned loop_rounds(const struct loop *l);

/* The time at which the current round of callbacks began, of clock_now_us(). */
uint64_t loop_now_us(const struct loop *l);

/* Takes the time again, after a callback has done something that may have taken long. */
void loop_update_now(struct loop *l);

/* How long its rounds take, from the end of a wait to the begin of the next one: for so long it
 * hears of nothing. */
struct loop_pulse {
    uint64_t n_rounds;
    uint64_t longest_us;
    uint64_t n_over[4]; /* rounds of more than 1, 10, 100, 1000 milliseconds */
};

/* Counts in @pulse from now on; NULL: does not. */
void loop_measure(struct loop *l, struct loop_pulse *pulse);

/* Called before the loop waits: a worker gives its interpreter's lock away there. */
void loop_set_wait_hook(struct loop *l, void (*before)(void));

/* Descriptors */

struct loop_io;
typedef void loop_io_fn(struct loop_io *io, uint32_t events);

struct loop_io {
    int fd; /* the owner's: it closes it, after loop_io_remove() */
    loop_io_fn *fn;
};

/* @events as in epoll_ctl(2). Each returns 0 or a negative errno. */
int loop_io_add(struct loop *l, struct loop_io *io, uint32_t events) _must_check_;
int loop_io_modify(struct loop *l, struct loop_io *io, uint32_t events) _must_check_;

/* No callback comes after this. */
void loop_io_remove(struct loop *l, struct loop_io *io);

/* Deadlines */

struct loop_timer;
typedef void loop_timer_fn(struct loop_timer *t);

struct loop_timer { /* all zero but fn: not set */
    loop_timer_fn *fn;
    uint64_t at_us;
    struct loop_timer *child, *next, **link; /* pairing heap; link is NULL when not set */
};

/* Calls t->fn once when @at_us has come; moves it if it was set. Never fails. */
void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t at_us);
void loop_timer_clear(struct loop *l, struct loop_timer *t);

static inline bool loop_timer_is_set(const struct loop_timer *t)
{
    return t->link != NULL;
}

/* Work for later in this round, after the callbacks: a list is touched only when nobody walks it.
 */

struct loop_task {
    void (*fn)(struct loop_task *t);
    struct list link; /* in no list: list_init() */
};

void loop_task_init(struct loop_task *t, void (*fn)(struct loop_task *t));
void loop_task_queue(struct loop *l, struct loop_task *t); /* twice is once */
void loop_task_cancel(struct loop_task *t);

/* Signals: blocked for the process and delivered to @fn by the loop. Once a loop. */

typedef void loop_signal_fn(int sig, void *data);
int loop_set_signals(struct loop *l, const sigset_t *signals, loop_signal_fn *fn,
                     void *data) _must_check_;
