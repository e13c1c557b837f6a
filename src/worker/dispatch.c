/* SPDX-License-Identifier: MIT */
/* Requests that have to wait. The queue is one for the instance, and what is in it goes, in order,
 * to whoever is free first; should this worker die, the others, or the next one, still have it. A
 * request waits in this worker only when the queue does not take it. New connections wait in the
 * kernel's backlog for a worker that is free. What has waited for too long is overload.c's. */
#include "worker/dispatch.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "worker/conn.h"
#include "worker/handoff.h"
#include "worker/overload.h"
#include "worker/worker-private.h"

#define REST_US  (100 * US_PER_MS) /* when the process has no descriptor left */
#define TENSE_US US_PER_SEC        /* without a request that did not have to wait */

static uint64_t now_us(const struct worker *w)
{
    return loop_now_us(w->loop);
}

bool dispatch_may_call(const struct worker *w)
{
    return !w->stopping && w->n_calls < w->conf->threads && w->promotion.state != PROMOTION_HOLDS;
}

bool dispatch_has_more(const struct worker *w)
{
    struct pollfd p = {.fd = w->start->queue.take_fd, .events = POLLIN};

    return w->takes && poll(&p, 1, 0) > 0;
}

bool dispatch_has_turn(const struct worker *w)
{
    if (!dispatch_may_call(w) || !list_empty(&w->ready))
        return false;
    /* The counter may be wrong when a worker has died; the socket is not, but costs a call. */
    return atomic_load_explicit(&w->start->queue.board->n_waiting, memory_order_relaxed) <= 0 ||
           !dispatch_has_more(w);
}

/* The queue is listened to exactly while a request out of it could be called. */
static void listen_to_queue(struct worker *w)
{
    bool wanted = dispatch_may_call(w) && w->takes && !loop_timer_is_set(&w->queue_rest);

    if (wanted == w->queue_listens)
        return;
    w->queue_listens = wanted;
    if (!wanted) {
        loop_io_remove(w->loop, &w->queue_io);
        return;
    }
    int r = loop_io_add(w->loop, &w->queue_io, EPOLLIN | EPOLLEXCLUSIVE);
    if (r < 0) {
        (void)log_errno(LOG_ERR, r, "cannot listen to the queue");
        w->queue_listens = false;
    }
}

/* The kernel wakes the first that waits: who has been woken goes to the end, so that what is given
 * spreads over the workers. */
static void queue_up(struct worker *w)
{
    if (scoreboard_n_workers(w->start->board) == 1)
        return;
    loop_io_remove(w->loop, &w->queue_io);
    w->queue_listens = false;
    listen_to_queue(w);
}

static void on_rested(struct loop_timer *t)
{
    listen_to_queue(container_of(t, struct worker, queue_rest));
}

/* Takes one entry out of the queue; the next one may be somebody else's. */
static void on_queue(struct loop_io *io, uint32_t events)
{
    struct worker *w = container_of(io, struct worker, queue_io);
    struct conn *c = NULL;

    (void)events;
    if (!dispatch_may_call(w))
        return;
    queue_up(w);
    int r = handoff_take(w, &c);
    if (r == -EMFILE) {
        loop_timer_set(w->loop, &w->queue_rest, now_us(w) + REST_US);
        listen_to_queue(w);
        return;
    }
    if (r < 0 && r != -EAGAIN)
        (void)log_errno(LOG_ERR, r, "cannot take a connection out of the queue");
    if (r <= 0)
        return;
    if (!c->x)
        conn_go_idle(c);
    else if (overload_in_time(w, c->x->ready_us))
        conn_serve_ready(c);
    else
        overload_refuse(c);
}

/* Calls those that wait here, one a round: the loop goes on in between. */
static void on_turn(struct loop_task *t)
{
    struct worker *w = container_of(t, struct worker, turn);
    struct list *first = list_first(&w->ready);

    if (!first || !dispatch_may_call(w))
        return;
    struct conn *c = container_of(first, struct conn, link);
    list_remove(first);
    list_append(&w->conns, first);
    w->n_ready--;
    if (list_first(&w->ready))
        loop_task_queue(w->loop, t);
    c->state = CONN_IDLE; /* waits no more */
    if (overload_in_time(w, c->x->ready_us))
        conn_serve_ready(c);
    else
        overload_refuse(c);
}

void dispatch_prepare(struct worker *w)
{
    list_init(&w->ready);
    loop_task_init(&w->turn, on_turn);
    w->queue_io = (struct loop_io){.fd = w->start->queue.take_fd, .fn = on_queue};
    w->queue_rest.fn = on_rested;
}

void dispatch_take(struct worker *w, bool takes)
{
    w->takes = takes;
    listen_to_queue(w);
}

/* The master hears when the oldest call has to be over, should none of our threads see to it. */
static void tell_due(struct worker *w)
{
    const struct crew *crew = &w->crew;
    uint64_t began_us = 0;

    if (w->conf->harakiri_us == 0)
        return;
    for (size_t i = 0; i < crew->n_members; i++) {
        const struct exchange *x = crew->members[i].calling;
        if (x && (began_us == 0 || x->conn->since_us < began_us))
            began_us = x->conn->since_us;
    }
    const struct call_due due = {
        .pid = began_us != 0 ? w->pid : 0,
        .at_us = began_us + w->conf->harakiri_us,
    };
    scoreboard_set_call_due(worker_slot(w), due);
}

void dispatch_begin(struct worker *w, struct exchange *x)
{
    w->n_calls++;
    crew_self()->calling = x;
    tell_due(w);
    atomic_store_explicit(&worker_slot(w)->idle, false, memory_order_relaxed);
    crew_call_begin(&w->crew);
}

void dispatch_end(struct worker *w)
{
    bool lead_was_lost = crew_call_end(&w->crew);

    crew_self()->calling = NULL;
    w->n_calls--;
    tell_due(w);
    if (w->stopping && w->n_calls == 0)
        loop_stop(w->loop, w->exit_code);
    if (lead_was_lost) {
        w->long_call_us = now_us(w);
        listen_to_queue(w);
        accept_resume(w);
    }
    if (!list_empty(&w->ready))
        loop_task_queue(w->loop, &w->turn);
    if (w->n_calls == 0)
        promote_on_idle(w);
}

void dispatch_on_taken(struct worker *w)
{
    listen_to_queue(w);
    /* When all have to wait anyway, they had better wait where it is seen how long; but not if
     * another instance may be free, which our queue does not reach. */
    bool tense = now_us(w) >= w->calm_us + TENSE_US && !w->start->shared_listeners;
    if (!dispatch_may_call(w) && !tense)
        accept_pause(w);
}

/* True if what waits has waited so long, or is so much, that one more would be answered late. */
static bool is_full(const struct worker *w)
{
    const struct queue_board *board = w->start->queue.board;
    const struct list *first = list_first(&w->ready);
    int64_t n_waiting = (int64_t)w->n_ready + atomic_load(&board->n_waiting);

    if (n_waiting >= (int64_t)w->conf->max_waiting)
        return true;
    if (first && overload_is_late(w, container_of(first, struct conn, link)->x->ready_us))
        return true;
    return atomic_load(&board->depth) > 0 && overload_is_late(w, atomic_load(&board->taken_us));
}

void dispatch_wait(struct conn *c)
{
    struct worker *w = c->worker;

    c->x->ready_us = now_us(w);
    if (is_full(w)) {
        overload_refuse(c);
        return;
    }
    /* When nobody follows, each finishes what it has, and what is left in the queue. */
    if (!w->closes && handoff_give(c) == 0) {
        conn_let_go(c);
        return;
    }
    conn_set_state(c, CONN_READY);
    list_remove(&c->link);
    list_append(&w->ready, &c->link);
    w->n_ready++;
    if (dispatch_may_call(w))
        loop_task_queue(w->loop, &w->turn);
    (void)conn_listen(c);
}

void dispatch_on_hold(struct worker *w)
{
    listen_to_queue(w);
    if (!dispatch_may_call(w))
        return;
    accept_resume(w);
    if (!list_empty(&w->ready))
        loop_task_queue(w->loop, &w->turn);
}

void dispatch_forget(struct worker *w)
{
    w->n_ready--;
}
