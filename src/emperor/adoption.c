/* SPDX-License-Identifier: MIT */
/* One request for each vassal, all of them at the same time. Nothing here waits: a base that has no
 * room for another connection is tried again by a timer, and one that does not answer in time has
 * not forked anything. What is wrong with an answer is for ipc/adoption.c to find out; what follows
 * is for vassal.c. Used by vassal.c and vassal-save.c. */
#include "emperor/adoption.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "emperor/vassal-base.h"
#include "emperor/vassal-process.h"

#define LIMIT_US (5 * US_PER_SEC) /* for the answer; the base waits ADOPTION_WAIT_MS for us */
#define AGAIN_US (10 * US_PER_MS) /* until it may have taken a connection */

struct adoption {
    struct vassal *vassal;
    struct vassal *base;             /* NULL: it is none any more */
    struct list link;                /* of base->asked */
    struct adoption_request request; /* until it is sent */
    struct launched ours;
    struct loop_io io; /* fd -1: not connected yet */
    struct loop_timer timer;
    uint64_t until_us;
    bool late; /* it is too late to answer */
};

static struct loop *loop_of(const struct adoption *a)
{
    return a->vassal->realm->loop;
}

void adoption_end(struct vassal *v)
{
    struct adoption *a = v->adoption;

    if (!a)
        return;
    v->adoption = NULL;
    loop_timer_clear(v->realm->loop, &a->timer);
    if (a->io.fd >= 0) {
        loop_io_remove(v->realm->loop, &a->io);
        closep(&a->io.fd);
    }
    if (a->base)
        vassal_base_has_room(a->base);
    list_remove(&a->link);
    adoption_request_done(&a->request);
    launched_done(&a->ours);
    free(a);
}

/* It is over, and there is no process. */
static void give_up(struct vassal *v, int error, const char *why)
{
    adoption_end(v);
    vassal_unborn(v, error, why);
}

/* After this the request may be gone. */
static void hear(struct adoption *a)
{
    struct vassal *v = a->vassal;
    struct launched born = LAUNCHED_NONE;
    struct errmsg err = {""};
    int r = adoption_hear(a->io.fd, &born.proc, &err);

    if (r == -EAGAIN && !a->late)
        return;
    if (a->late && (r == -EAGAIN || r == -ECONNRESET))
        r = errmsg_set(&err, -ETIMEDOUT, "its base has not answered in time");
    if (r < 0) {
        give_up(v, r, err.text);
        return;
    }
    struct proc proc = born.proc;
    born = a->ours;
    born.proc = proc;
    a->ours = LAUNCHED_NONE;
    adoption_end(v);
    vassal_born(v, &born);
}

static void on_answer(struct loop_io *io, uint32_t events)
{
    (void)events;
    hear(container_of(io, struct adoption, io));
}

static int listen_to(struct adoption *a, int fd)
{
    a->io = (struct loop_io){.fd = fd, .fn = on_answer};
    int r = loop_io_add(loop_of(a), &a->io, EPOLLIN);
    if (r < 0) {
        closep(&fd);
        a->io.fd = -1;
        return r;
    }
    loop_timer_set(loop_of(a), &a->timer, a->until_us);
    return 0;
}

/* Sends the request, or tries that again soon. */
static int ask(struct adoption *a, struct errmsg *err)
{
    struct vassal *v = a->vassal;

    if (!a->base)
        return errmsg_set(err, -ECONNRESET, "its base is gone");
    int fd = adoption_connect(v->life.base, a->base->proc.pid);
    if (fd == -EAGAIN && clock_now_us() < a->until_us) {
        loop_timer_set(loop_of(a), &a->timer, clock_now_us() + AGAIN_US);
        return 0;
    }
    if (fd == -EPERM)
        return errmsg_set(err, fd, "it is not vassal %s that listens at %s", a->base->id,
                          v->life.base);
    if (fd < 0)
        return errmsg_set_errno(err, fd, "cannot connect to %s", v->life.base);
    int r = adoption_send(fd, &a->request);
    if (r < 0) {
        (void)close(fd);
        return errmsg_set_errno(err, r, "cannot ask its base for it");
    }
    adoption_request_done(&a->request);
    r = listen_to(a, fd);
    return r < 0 ? errmsg_set_errno(err, r, "cannot wait for its base") : 0;
}

static void on_timer(struct loop_timer *t)
{
    struct adoption *a = container_of(t, struct adoption, timer);
    struct vassal *v = a->vassal;
    struct errmsg err = {""};

    if (a->io.fd < 0) {
        int r = ask(a, &err);
        if (r < 0)
            give_up(v, r, err.text);
        return;
    }
    a->late = true;
    (void)shutdown(a->io.fd, SHUT_RD); /* an answer is here now, or whoever sends it is told */
    hear(a);
}

static int adoption_new(struct vassal *v, struct adoption **ret)
{
    struct adoption *a = calloc(1, sizeof(*a));

    assert(!v->adoption);
    if (!a)
        return -ENOMEM;
    *a = (struct adoption){
        .vassal = v,
        .request = ADOPTION_REQUEST_NONE,
        .ours = LAUNCHED_NONE,
        .io.fd = -1,
        .timer.fn = on_timer,
    };
    list_init(&a->link);
    v->adoption = a;
    *ret = a;
    return 0;
}

int adoption_begin(struct vassal *v, struct errmsg *err)
{
    struct vassal *base = vassal_base_at(v->realm, v->life.base);
    struct launch how = vassal_launch(v);
    struct adoption *a = NULL;

    if (!base)
        return errmsg_set(err, -ECONNRESET, "its base is gone");
    int r = adoption_new(v, &a);
    if (r == 0)
        r = launch_request(&how, &a->request, &a->ours);
    if (r < 0) {
        adoption_end(v);
        return errmsg_set_errno(err, r, "cannot ask its base for it");
    }
    a->base = base;
    a->until_us = clock_now_us() + LIMIT_US;
    list_append(&base->asked, &a->link);
    base->n_asked++;
    v->life.base_pid = (uint32_t)base->proc.pid;
    v->life.base_generation = base->offers_generation;
    v->life.base_serial = base->offers_serial;
    r = ask(a, err);
    if (r < 0)
        adoption_end(v);
    return r;
}

bool adoption_cancel(struct vassal *v)
{
    if (!v->adoption || v->adoption->io.fd >= 0)
        return false;
    adoption_end(v);
    return true;
}

void adoption_forget_base(struct vassal *base)
{
    LIST_FOREACH (it, &base->asked) {
        container_of(it, struct adoption, link)->base = NULL;
        list_remove(it);
    }
}

bool adoption_keep(const struct vassal *v, struct adoption_kept *ret)
{
    const struct adoption *a = v->adoption;

    if (!a || a->io.fd < 0)
        return false;
    *ret = (struct adoption_kept){.ours = a->ours, .fd = a->io.fd, .until_us = a->until_us};
    return true;
}

int adoption_resume(struct vassal *v, const struct adoption_kept *kept)
{
    struct launched ours = kept->ours;
    struct adoption *a = NULL;
    int r = adoption_new(v, &a);

    if (r < 0) {
        launched_done(&ours);
        (void)close(kept->fd);
        return r;
    }
    a->ours = ours;
    a->until_us = kept->until_us;
    r = listen_to(a, kept->fd);
    if (r < 0)
        adoption_end(v);
    return r;
}
