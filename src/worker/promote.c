/* SPDX-License-Identifier: MIT */
/* The copy has everything that the worker has: connections, the loop, the threads' memory but not
 * the threads. What belongs to clients and to the loop is closed at once, and its memory left
 * alone: to free it would copy pages. What the application has opened since it was forked is the
 * application's to explain: worker->start->become_zygote() looks at it. */
#include "worker/promote.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/proc.h"
#include "ipc/family.h"
#include "worker/conn.h"
#include "worker/dispatch.h"
#include "worker/worker-private.h"

#define MAX_TRIES 20
#define AGAIN_US  (10 * US_PER_MS)
#define HOLD_US   (100 * US_PER_MS) /* what waits meanwhile, others take, or it waits so long */
#define REST_US   US_PER_SEC

void promote_on_answer(struct worker *w)
{
    const struct message m = {.type = FAMILY_WARM};

    if (w->conf->refork_after == 0 || w->n_requests % w->conf->refork_after != 0)
        return;
    if (message_send(w->channel.io.fd, &m) < 0)
        log_debug("the master does not listen");
}

static void close_conns(const struct list *conns)
{
    LIST_FOREACH (item, conns) {
        struct conn *c = container_of(item, struct conn, link);
        (void)close(c->io.fd);
        if (!c->x)
            continue;
        closep(&c->x->file.fd);
        closep(&c->x->body.fd);
    }
}

/* In the copy: gives up what is the worker's. */
static void shed(struct worker *w)
{
    close_conns(&w->conns);
    close_conns(&w->ready);
    for (size_t i = 0; i < w->crew.n_members; i++)
        closep(&w->crew.members[i].wchan_fd);
    closep(&w->crew.wake.fd);
    closep(&w->wake.fd);
    closep(&w->channel.io.fd);
    keeper_shed(&w->keeper);
    w->loop = loop_free(w->loop);
}

/* What keeps this process from being copied, or 0. */
static int find_hindrance(const struct worker *w, char *text, size_t size)
{
    size_t n = proc_count_threads();

    if (w->draining || w->stopping) {
        (void)snprintf(text, size, "it ends");
        return -ESHUTDOWN;
    }
    if (n == 0) {
        (void)snprintf(text, size, "the threads of worker %d cannot be counted", w->start->id);
        return -EBUSY;
    }
    if (n > w->crew.n_members) {
        (void)snprintf(text, size,
                       "the application has %zu threads in worker %d: a copy would not have them, "
                       "but perhaps locks that they hold",
                       n - w->crew.n_members, w->start->id);
        return -EBUSY;
    }
    return 0;
}

static int copy(struct worker *w, const struct promotion *p, char *text, size_t size)
{
    const struct worker_start *start = w->start;

    int r = find_hindrance(w, text, size);
    if (r < 0)
        return r;
    access_log_flush(&w->log); /* or the copy would write it again */
    crew_enter_interpreters(crew_self());
    apps_before_fork(start->apps);
    r = proc_fork_orphan();
    if (r == 0) {
        shed(w);
        worker_forget();
        start->become_zygote(start->zygote_data, p->channel_fd, p->output_fd);
    }
    apps_after_fork_parent(start->apps);
    if (r < 0)
        (void)snprintf(text, size, "fork: %s", strerror(-r));
    return r;
}

static void set_state(struct worker *w, enum promotion_state state, uint64_t for_us)
{
    struct promotion *p = &w->promotion;

    p->state = state;
    if (for_us > 0)
        loop_timer_set(w->loop, &p->timer, loop_now_us(w->loop) + for_us);
    else
        loop_timer_clear(w->loop, &p->timer);
    dispatch_on_hold(w);
}

static void try(struct worker *w)
{
    struct promotion *p = &w->promotion;
    char why[200] = "";

    if (w->n_calls > 0) {
        set_state(w, PROMOTION_HOLDS, HOLD_US);
        return;
    }
    int r = copy(w, p, why, sizeof(why));
    if (r == -EBUSY && ++p->n_tries < MAX_TRIES) { /* a thread may be about to end */
        set_state(w, PROMOTION_FAILS, AGAIN_US);
        return;
    }
    if (r == -EBUSY)
        (void)message_send_text(p->channel_fd, FAMILY_LOAD_FAILED, 0, why);
    else if (r < 0)
        log_warning("no copy of this worker becomes the zygote: %s", why);
    closep(&p->channel_fd);
    closep(&p->output_fd);
    set_state(w, PROMOTION_NONE, 0);
}

static void on_timer(struct loop_timer *t)
{
    struct worker *w = container_of(t, struct worker, promotion.timer);

    if (w->promotion.state == PROMOTION_HOLDS)
        set_state(w, PROMOTION_RESTS, REST_US);
    else
        try(w);
}

void promote_on_idle(struct worker *w)
{
    enum promotion_state state = w->promotion.state;

    if (state == PROMOTION_HOLDS || state == PROMOTION_RESTS)
        try(w);
}

void promote_begin(struct worker *w, struct message *m)
{
    if (w->promotion.state != PROMOTION_NONE) {
        message_close_fds(m);
        return;
    }
    w->promotion = (struct promotion){
        .timer.fn = on_timer,
        .channel_fd = m->fds[0],
        .output_fd = m->fds[1],
    };
    if (m->value == 0)
        closep(&w->promotion.output_fd); /* there is no such place */
    try(w);
}
