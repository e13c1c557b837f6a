/* SPDX-License-Identifier: MIT */
/* The loop itself: wait, call back, run the deadlines that have come, run the queued work.
 *
 * A batch of events may hold a source that an earlier callback of the same batch removed (and whose
 * memory may be gone): loop_io_remove() strikes it out of the batch. */
#include "loop/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "loop/heap.h"

#define BATCH 64

struct loop {
    struct loop_pulse *pulse; /* NULL: rounds are not measured */
    int epoll_fd;
    bool stopped, yielded;
    bool in_round; /* it has waited, and may have work from that */
    int code;
    _Atomic(unsigned) rounds;
    uint64_t now_us;
    struct heap timers;
    struct list tasks;
    struct list round_tasks; /* of them, those that are run in this round */

    struct epoll_event events[BATCH]; /* of the round that is being handled */
    int n_events, next_event;

    struct loop_io signal_io;
    loop_signal_fn *signal_fn;
    void *signal_data;

    void (*before_wait)(void);
};

int loop_new(struct loop **ret)
{
    _cleanup_close_ int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

    if (epoll_fd < 0)
        return -errno;
    struct loop *l = calloc(1, sizeof(*l));
    if (!l)
        return -ENOMEM;
    l->epoll_fd = TAKE_FD(epoll_fd);
    l->signal_io.fd = -1;
    l->now_us = clock_now_us();
    list_init(&l->tasks);
    list_init(&l->round_tasks);
    *ret = l;
    return 0;
}

struct loop *loop_free(struct loop *l)
{
    if (!l)
        return NULL;
    closep(&l->signal_io.fd);
    closep(&l->epoll_fd);
    free(l);
    return NULL;
}

void loop_stop(struct loop *l, int code)
{
    l->stopped = true;
    l->code = code;
}

void loop_yield(struct loop *l)
{
    l->yielded = true;
}

unsigned loop_rounds(const struct loop *l)
{
    return atomic_load_explicit(&l->rounds, memory_order_relaxed);
}

uint64_t loop_now_us(const struct loop *l)
{
    return l->now_us;
}

void loop_update_now(struct loop *l)
{
    l->now_us = clock_now_us();
}

void loop_measure(struct loop *l, struct loop_pulse *pulse)
{
    l->pulse = pulse;
}

static void note_round(struct loop *l)
{
    struct loop_pulse *p = l->pulse;
    uint64_t us = clock_now_us() - l->now_us, bound_us = US_PER_MS;

    p->n_rounds++;
    p->longest_us = MAX(p->longest_us, us);
    for (size_t i = 0; i < COUNT_OF(p->n_over); i++, bound_us *= 10)
        p->n_over[i] += us > bound_us;
}

void loop_set_wait_hook(struct loop *l, void (*before)(void))
{
    l->before_wait = before;
}

int loop_io_add(struct loop *l, struct loop_io *io, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = io};

    return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, io->fd, &e) < 0 ? -errno : 0;
}

int loop_io_modify(struct loop *l, struct loop_io *io, uint32_t events)
{
    struct epoll_event e = {.events = events, .data.ptr = io};

    return epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, io->fd, &e) < 0 ? -errno : 0;
}

void loop_io_remove(struct loop *l, struct loop_io *io)
{
    if (io->fd < 0)
        return;
    (void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL); /* ENOENT: it was not added */
    for (int i = l->next_event; i < l->n_events; i++)
        if (l->events[i].data.ptr == io)
            l->events[i].data.ptr = NULL;
}

void loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t at_us)
{
    heap_remove(&l->timers, t);
    t->at_us = at_us;
    heap_put(&l->timers, t);
}

void loop_timer_clear(struct loop *l, struct loop_timer *t)
{
    heap_remove(&l->timers, t);
}

void loop_task_init(struct loop_task *t, void (*fn)(struct loop_task *t))
{
    t->fn = fn;
    list_init(&t->link);
}

void loop_task_queue(struct loop *l, struct loop_task *t)
{
    if (list_empty(&t->link))
        list_append(&l->tasks, &t->link);
}

void loop_task_cancel(struct loop_task *t)
{
    list_remove(&t->link);
}

static void on_signal(struct loop_io *io, uint32_t events)
{
    struct loop *l = container_of(io, struct loop, signal_io);
    struct signalfd_siginfo info;

    (void)events;
    while (read(io->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        l->signal_fn((int)info.ssi_signo, l->signal_data);
}

int loop_set_signals(struct loop *l, const sigset_t *signals, loop_signal_fn *fn, void *data)
{
    assert(l->signal_io.fd < 0);

    if (sigprocmask(SIG_BLOCK, signals, NULL) < 0)
        return -errno;
    int fd = signalfd(-1, signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    l->signal_fn = fn;
    l->signal_data = data;
    l->signal_io = (struct loop_io){.fd = fd, .fn = on_signal};
    return loop_io_add(l, &l->signal_io, EPOLLIN);
}

/* Waits for events until the first deadline. Returns how many there are, or a negative errno. */
static int wait_for_events(struct loop *l)
{
    const struct loop_timer *first = heap_first(&l->timers);
    struct timespec wait = {0}, *timeout = NULL;

    if (l->pulse && l->in_round)
        note_round(l);
    if (!list_empty(&l->tasks)) {
        timeout = &wait;
    } else if (first) {
        uint64_t now = clock_now_us();
        uint64_t us = first->at_us > now ? first->at_us - now : 0;
        wait = (struct timespec){.tv_sec = (time_t)(us / US_PER_SEC),
                                 .tv_nsec = (long)(us % US_PER_SEC) * 1000};
        timeout = &wait;
    }

    if (l->before_wait)
        l->before_wait();
    atomic_store_explicit(&l->rounds, loop_rounds(l) + 1, memory_order_relaxed);
    int n = epoll_pwait2(l->epoll_fd, l->events, BATCH, timeout, NULL);
    int r = n < 0 ? -errno : n;
    l->now_us = clock_now_us();
    return r == -EINTR ? 0 : r;
}

/* Each of these three goes on where a thread before left it, and stops early when told to yield. */

static void run_events(struct loop *l)
{
    while (l->next_event < l->n_events && !l->yielded) {
        struct epoll_event *e = &l->events[l->next_event++];
        struct loop_io *io = e->data.ptr;
        if (io)
            io->fn(io, e->events);
    }
}

static void run_timers(struct loop *l)
{
    struct loop_timer *t = NULL;

    while (!l->yielded && (t = heap_first(&l->timers)) && t->at_us <= l->now_us) {
        heap_remove(&l->timers, t);
        t->fn(t);
    }
}

static void run_tasks(struct loop *l)
{
    struct list *item = NULL;

    while (!l->yielded && (item = list_first(&l->round_tasks))) {
        struct loop_task *t = container_of(item, struct loop_task, link);
        list_remove(item);
        t->fn(t);
    }
}

/* Only the work that is there now: what queues itself again waits for the next round. */
static void take_tasks(struct loop *l)
{
    struct list *item = NULL;

    while ((item = list_first(&l->tasks))) {
        list_remove(item);
        list_append(&l->round_tasks, item);
    }
}

/* What follows a wait; or what another thread has left of it. */
static void run_round(struct loop *l)
{
    run_events(l);
    run_timers(l);
    if (list_empty(&l->round_tasks))
        take_tasks(l);
    run_tasks(l);
}

int loop_run(struct loop *l)
{
    for (;;) {
        if (l->in_round)
            run_round(l);
        if (l->yielded) {
            l->yielded = false;
            return LOOP_YIELDED;
        }
        if (l->stopped) {
            l->stopped = false;
            return l->code;
        }
        int n = wait_for_events(l);
        if (n < 0)
            return n;
        l->n_events = n;
        l->next_event = 0;
        l->in_round = true;
    }
}
