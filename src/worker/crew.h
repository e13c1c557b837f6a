/* SPDX-License-Identifier: MIT */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "app/app.h"
#include "base/list.h"
#include "base/macro.h"
#include "loop/loop.h"

/* The threads of a worker. One of them leads: it runs the loop, and everything in the worker that
 * is not the application's belongs to it. The leader also calls the application, without any
 * hand-over; only when a call lasts does a follower take the lead and go on with the loop. The
 * thread whose call is over takes the lead back, and so each callback of the loop begins and ends
 * on the leader.
 *
 * A call that is over soon costs two atomic operations and no system call. While calls are made one
 * follower looks once a tick whether the leader still is where it was; when none have been made for
 * a while, all followers sleep. */

#define CREW_SCRATCH_BYTES ((size_t)64 * 1024)

struct crew;

struct crew_member {
    struct crew *crew;
    pthread_t thread;
    struct list link; /* in crew->returning */
    pthread_cond_t changed;
    clockid_t cpu_clock;              /* of this thread */
    int wchan_fd;                     /* what it waits for in the kernel (proc(5)); -1: not known */
    bool leads;                       /* the lead was passed on to it */
    bool inside;                      /* holds the interpreters' locks */
    uint64_t turn;                    /* the baton during its call */
    struct exchange *calling;         /* the request that the application has from it */
    char scratch[CREW_SCRATCH_BYTES]; /* what was just read; valid within one callback */
};

struct crew_owner {
    /* The loop is about to wait. */
    void (*before_wait)(void *data);
    /* A follower has become the leader; the one before is still in its call. */
    void (*on_taken)(void *data);
    /* True if others could do what waits here while the leader is busy with one thing after the
     * other. Called by any thread. */
    bool (*is_behind)(void *data);
    /* The loop was stopped, with @code. Ends the process. */
    void (*on_end)(void *data, int code);
    void *data;
};

struct crew {
    /* Even: the leader is in the loop. Odd: it calls the application, and whoever adds one to it
     * leads from then on. */
    _Atomic(uint64_t) baton;
    _Atomic(unsigned) flags; /* enum crew_flag: what the leader has to see when it calls */

    _Atomic(struct crew_member *) leader; /* for those who watch: it may be outdated */

    pthread_mutex_t lock;
    struct list returning; /* members whose call is over, and who want the lead back */
    pthread_cond_t idle;   /* followers sleep here */
    bool watch_wanted;

    struct loop *loop;
    struct loop_io wake; /* eventfd: somebody is returning */
    const struct apps *apps;
    struct crew_owner owner;
    struct crew_member *members;
    size_t n_members;
    size_t n_enlisted; /* of them, followers that have begun */
};

/* The member that runs on this thread; NULL on an application's own thread. */
struct crew_member *crew_self(void);

/* Sets up a crew whose calling thread leads and may hold the interpreters' locks, and starts
 * @n_followers others. With @quiet these leave all signals to the calling thread. Returns 0 or a
 * negative errno. */
int crew_start(struct crew *c, struct loop *loop, const struct apps *apps, size_t n_followers,
               bool quiet, const struct crew_owner *owner) _must_check_;

/* Runs the loop until it is stopped, then calls owner.on_end(). */
_noreturn_ void crew_lead(struct crew *c);

/* Around a call of the application, by the leader. It holds the interpreters' locks in between.
 * crew_call_end() returns when it leads again: true if another one has led meanwhile. */
void crew_call_begin(struct crew *c);
bool crew_call_end(struct crew *c);

/* Gives the interpreters' locks away, if this thread has them; takes them, if it does not. */
void crew_leave_interpreters(struct crew_member *self);
void crew_enter_interpreters(struct crew_member *self);
