/* SPDX-License-Identifier: MIT */
/* Leader and followers. The lead changes hands in two ways:
 *
 *   taken   from a leader that is in a call: whoever moves the baton from the odd number of that
 *           call to the next even one leads; the other sees on its return that it has lost it.
 *   passed  by a leader that is in the loop, to the first of those that return from their calls.
 *
 * Leader and others meet in two words: the leader writes the baton, then reads the flags; the
 * others write a flag, then read the baton. Both are sequentially consistent, so one of them sees
 * the other, and no call is left unwatched. */
#include "worker/crew.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "worker/stacks.h"

#define TICK_US       US_PER_MS
#define PATIENT_TICKS 10 /* for a call whose thread has no processor */
#define QUIET_TICKS   8  /* without a call: then the watch ends */

enum crew_flag {
    CREW_WANTED = 1 << 0,    /* somebody returns */
    CREW_UNWATCHED = 1 << 1, /* no follower watches */
};

static _Thread_local struct crew_member *self_; /* of this thread */

struct crew_member *crew_self(void)
{
    return self_;
}

static bool in_call(uint64_t baton)
{
    return baton % 2 != 0;
}

/* Moves the baton on from a call. False: that call is over, or somebody else was faster. */
static bool take_from(struct crew *c, uint64_t baton)
{
    return atomic_compare_exchange_strong(&c->baton, &baton, baton + 1);
}

void crew_leave_interpreters(struct crew_member *self)
{
    if (!self->inside)
        return;
    self->inside = false;
    apps_wait_begin(self->crew->apps);
}

void crew_enter_interpreters(struct crew_member *self)
{
    if (self->inside)
        return;
    apps_wait_end(self->crew->apps);
    self->inside = true;
}

static void before_wait(void)
{
    struct crew *c = self_->crew;

    crew_leave_interpreters(self_);
    c->owner.before_wait(c->owner.data);
}

/* Followers */

/* What a watcher remembers from one look to the next. */
struct look {
    uint64_t baton, cpu_us;
    unsigned round;
};

static uint64_t cpu_us(const struct crew_member *m)
{
    struct timespec t = {0};

    (void)clock_gettime(m->cpu_clock, &t);
    return (uint64_t)t.tv_sec * US_PER_SEC + (uint64_t)t.tv_nsec / 1000;
}

/* False if the thread runs, or would if it got a processor. */
static bool is_blocked(const struct crew_member *m)
{
    char text[2] = "";

    return pread(m->wchan_fd, text, sizeof(text), 0) != 1 || text[0] != '0';
}

/* A leader in a call that waits for something, or has worked for most of a tick, is busy. One that
 * did neither lost its processor to others: to have yet another thread take over would make that
 * worse, and move its clients about. */
static bool is_busy(const struct crew_member *leader, const struct look *last)
{
    return cpu_us(leader) >= last->cpu_us + TICK_US / 2 || is_blocked(leader);
}

static struct look look_at(const struct crew *c)
{
    return (struct look){
        .baton = atomic_load(&c->baton),
        .cpu_us = cpu_us(atomic_load(&c->leader)),
        .round = loop_rounds(c->loop),
    };
}

/* Looks once a tick whether the leader goes on. Returns true when this thread leads now, false when
 * there has been nothing to watch for a while. */
static bool watch(struct crew *c)
{
    const struct timespec tick = {.tv_nsec = (long)TICK_US * 1000};
    unsigned n_same = 0;

    for (;;) {
        struct look last = look_at(c);
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &tick, NULL);

        uint64_t now = atomic_load(&c->baton);
        n_same = now == last.baton ? n_same + 1 : 0;
        bool lags = loop_rounds(c->loop) == last.round && c->owner.is_behind(c->owner.data);
        if (in_call(now) && (n_same > 0 || lags) &&
            (n_same >= PATIENT_TICKS || is_busy(atomic_load(&c->leader), &last)) &&
            take_from(c, now))
            return true;
        if (n_same < QUIET_TICKS || in_call(now))
            continue;
        atomic_fetch_or(&c->flags, CREW_UNWATCHED);
        if (!in_call(atomic_load(&c->baton)))
            return false;
        atomic_fetch_and(&c->flags, ~(unsigned)CREW_UNWATCHED);
    }
}

static void sleep_until_watch_is_wanted(struct crew *c)
{
    (void)pthread_mutex_lock(&c->lock);
    while (!c->watch_wanted)
        (void)pthread_cond_wait(&c->idle, &c->lock);
    c->watch_wanted = false;
    (void)pthread_mutex_unlock(&c->lock);
}

/* Signals are for whoever works: their handlers may be the application's. */
static void hold_signals(sigset_t *ret_before)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)sigdelset(&all, stacks_signal());
    (void)pthread_sigmask(SIG_SETMASK, &all, ret_before);
}

/* Returns when this thread leads. */
static void follow(struct crew *c)
{
    sigset_t before;

    hold_signals(&before);
    do
        sleep_until_watch_is_wanted(c);
    while (!watch(c));
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    atomic_store(&c->leader, self_);
    atomic_fetch_or(&c->flags, CREW_UNWATCHED); /* by us */
    loop_update_now(c->loop);
    c->owner.on_taken(c->owner.data);
}

/* Calls */

/* A flag is up as the leader begins a call: whoever has to know of it is woken. */
static void tell_others(struct crew *c)
{
    (void)pthread_mutex_lock(&c->lock);
    struct list *first = list_first(&c->returning);
    if (first) {
        (void)pthread_cond_signal(&container_of(first, struct crew_member, link)->changed);
    } else if (atomic_load(&c->flags) & CREW_UNWATCHED) {
        atomic_fetch_and(&c->flags, ~(unsigned)CREW_UNWATCHED);
        c->watch_wanted = true;
        (void)pthread_cond_signal(&c->idle);
    }
    (void)pthread_mutex_unlock(&c->lock);
}

void crew_call_begin(struct crew *c)
{
    struct crew_member *self = self_;

    self->turn = atomic_load_explicit(&c->baton, memory_order_relaxed) + 1;
    atomic_store(&c->baton, self->turn);
    if (atomic_load(&c->flags) != 0)
        tell_others(c);
    /* Another thread may have an interpreter's lock for long: the call has begun, so that the lead
     * can be taken from us while we wait for it. */
    crew_enter_interpreters(self);
}

static void wake_leader(struct crew *c)
{
    const uint64_t one = 1;

    (void)!write(c->wake.fd, &one, sizeof(one)); /* full: it is awake */
}

/* Waits for the lead: takes it from a leader that is in a call, or asks one that is in the loop. */
static void take_back(struct crew *c, struct crew_member *self)
{
    bool asked = false;

    crew_leave_interpreters(self);
    (void)pthread_mutex_lock(&c->lock);
    self->leads = false;
    list_append(&c->returning, &self->link);
    atomic_fetch_or(&c->flags, CREW_WANTED);
    while (!self->leads) {
        uint64_t baton = atomic_load(&c->baton);
        if (in_call(baton) && list_first(&c->returning) == &self->link) {
            if (!take_from(c, baton))
                continue; /* just over: whose call it was is in the loop, and knows nothing of us */
            list_remove(&self->link);
            break;
        }
        if (!in_call(baton) && !asked) {
            wake_leader(c);
            asked = true;
        }
        (void)pthread_cond_wait(&self->changed, &c->lock);
    }
    if (list_empty(&c->returning))
        atomic_fetch_and(&c->flags, ~(unsigned)CREW_WANTED);
    (void)pthread_mutex_unlock(&c->lock);
    atomic_store(&c->leader, self);
    loop_update_now(c->loop);
}

bool crew_call_end(struct crew *c)
{
    struct crew_member *self = self_;

    if (take_from(c, self->turn))
        return false;
    take_back(c, self);
    return true;
}

/* Leading */

static void on_wake(struct loop_io *io, uint32_t events)
{
    struct crew *c = container_of(io, struct crew, wake);
    uint64_t count = 0;

    (void)events;
    (void)!read(io->fd, &count, sizeof(count)); /* somebody else has read it: it was meant for us */
    (void)pthread_mutex_lock(&c->lock);
    if (!list_empty(&c->returning))
        loop_yield(c->loop);
    (void)pthread_mutex_unlock(&c->lock);
}

/* Passes the lead to the first that returns. Each that waits has woken the leader of its time,
 * which may have been another one: those that remain are the next one's to serve. */
static void pass_on(struct crew *c)
{
    (void)pthread_mutex_lock(&c->lock);
    struct list *first = list_first(&c->returning);
    if (first) {
        struct crew_member *m = container_of(first, struct crew_member, link);
        list_remove(first);
        m->leads = true;
        (void)pthread_cond_signal(&m->changed);
        if (!list_empty(&c->returning))
            wake_leader(c);
    }
    (void)pthread_mutex_unlock(&c->lock);
}

static _noreturn_ void lead(struct crew *c, struct crew_member *self)
{
    for (;;) {
        int r = loop_run(c->loop);
        if (r != LOOP_YIELDED) {
            c->owner.on_end(c->owner.data, r);
            _exit(EXIT_FAILURE);
        }
        crew_leave_interpreters(self);
        pass_on(c);
        follow(c);
    }
}

void crew_lead(struct crew *c)
{
    lead(c, self_);
}

/* This thread is @m from now on. */
static void enlist(struct crew_member *m)
{
    char path[64];

    self_ = m;
    (void)pthread_getcpuclockid(pthread_self(), &m->cpu_clock); /* it exists */
    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/wchan", (int)gettid());
    m->wchan_fd = open(path, O_RDONLY | O_CLOEXEC);
}

static void *follower_main(void *data)
{
    struct crew_member *self = data;

    enlist(self);
    (void)pthread_mutex_lock(&self->crew->lock);
    self->crew->n_enlisted++;
    (void)pthread_cond_signal(&self->crew->members[0].changed);
    (void)pthread_mutex_unlock(&self->crew->lock);
    follow(self->crew);
    lead(self->crew, self);
}

static int start_followers(struct crew *c, bool quiet)
{
    sigset_t before;
    int r = 0;

    if (quiet)
        hold_signals(&before);
    for (size_t i = 1; r == 0 && i < c->n_members; i++)
        r = -pthread_create(&c->members[i].thread, NULL, follower_main, &c->members[i]);
    if (quiet)
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_mutex_lock(&c->lock);
    while (r == 0 && c->n_enlisted < c->n_members - 1)
        (void)pthread_cond_wait(&c->members[0].changed, &c->lock);
    (void)pthread_mutex_unlock(&c->lock);
    return r;
}

int crew_start(struct crew *c, struct loop *loop, const struct apps *apps, size_t n_followers,
               bool quiet, const struct crew_owner *owner)
{
    *c = (struct crew){
        .flags = CREW_UNWATCHED,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .idle = PTHREAD_COND_INITIALIZER,
        .loop = loop,
        .apps = apps,
        .owner = *owner,
        .n_members = n_followers + 1,
    };
    list_init(&c->returning);
    c->members = calloc(c->n_members, sizeof(*c->members));
    if (!c->members)
        return -ENOMEM;
    for (size_t i = 0; i < c->n_members; i++) {
        struct crew_member *m = &c->members[i];
        m->crew = c;
        list_init(&m->link);
        (void)pthread_cond_init(&m->changed, NULL);
    }
    enlist(&c->members[0]);
    atomic_store(&c->leader, self_);
    self_->thread = pthread_self();
    self_->inside = true;
    loop_set_wait_hook(loop, before_wait);

    c->wake = (struct loop_io){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .fn = on_wake};
    if (c->wake.fd < 0)
        return -errno;
    int r = loop_io_add(loop, &c->wake, EPOLLIN);
    return r < 0 ? r : start_followers(c, quiet);
}
