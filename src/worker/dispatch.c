/* SPDX-License-Identifier: MIT */
/* Requests that have to wait. Order is first come, first served over all workers: the queue is one
 * for the instance, and what is in it goes to whoever is free first; should this worker die, the
 * others, or the next one, still have it. A request waits in this worker only when the queue does
 * not take it.
 *
 * Overload is when something has been waiting for OVERLOAD_US without a break. From then on nothing
 * waits for longer than overload-wait: it is answered 503 instead, at once if the queue is that old
 * already. A burst, however long its queue, is worked off. */
#include "worker/dispatch.h"

#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "worker/conn.h"
#include "worker/handoff.h"
#include "worker/worker-private.h"

#define OVERLOAD_US (5 * US_PER_SEC)
#define RETRY_AFTER 1 /* seconds */

static uint64_t now_us(const struct worker *w)
{
    return loop_now_us(w->loop);
}

bool dispatch_may_call(const struct worker *w)
{
    return !w->stopping && w->n_calls < w->conf->threads;
}

/* The queue is listened to exactly while a request out of it could be called. */
static void listen_to_queue(struct worker *w)
{
    bool wanted = dispatch_may_call(w) && w->takes;

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

static void refuse(struct conn *c)
{
    conn_refuse(c, 503, RETRY_AFTER, "too many requests wait for a worker");
}

static bool is_overloaded(const struct worker *w)
{
    const struct queue_board *board = w->start->queue.board;

    return now_us(w) > atomic_load(&board->empty_us) + OVERLOAD_US;
}

static bool is_late(const struct worker *w, uint64_t ready_us)
{
    return now_us(w) > ready_us + w->conf->overload_wait_us && is_overloaded(w);
}

/* Takes one entry out of the queue; the next one may be somebody else's. */
static void on_queue(struct loop_io *io, uint32_t events)
{
    struct worker *w = container_of(io, struct worker, queue_io);
    struct conn *c = NULL;

    (void)events;
    if (!dispatch_may_call(w))
        return;
    int r = handoff_take(w, &c);
    if (r < 0 && r != -EAGAIN)
        (void)log_errno(LOG_ERR, r, "cannot take a connection out of the queue");
    if (r <= 0)
        return;
    if (!c->x)
        conn_go_idle(c);
    else if (is_late(w, c->x->ready_us)) {
        atomic_fetch_add(&w->start->queue.board->n_late, 1);
        refuse(c);
    } else
        conn_serve_ready(c);
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
    else
        atomic_store(&w->start->queue.board->empty_us, now_us(w));
    c->state = CONN_IDLE; /* waits no more */
    if (is_late(w, c->x->ready_us))
        refuse(c);
    else
        conn_serve_ready(c);
}

int dispatch_start(struct worker *w)
{
    list_init(&w->ready);
    loop_task_init(&w->turn, on_turn);
    w->queue_io = (struct loop_io){.fd = w->start->queue.take_fd, .fn = on_queue};
    w->takes = true;
    listen_to_queue(w);
    return w->queue_listens ? 0 : -EIO;
}

void dispatch_take(struct worker *w, bool takes)
{
    w->takes = takes;
    listen_to_queue(w);
}

bool dispatch_has_more(const struct worker *w)
{
    struct pollfd p = {.fd = w->start->queue.take_fd, .events = POLLIN};

    return w->takes && poll(&p, 1, 0) > 0;
}

void dispatch_begin(struct worker *w, struct exchange *x)
{
    w->n_calls++;
    crew_self()->calling = x;
    atomic_store_explicit(&worker_slot(w)->idle, false, memory_order_relaxed);
    crew_call_begin(&w->crew);
}

void dispatch_end(struct worker *w)
{
    crew_self()->calling = NULL;
    bool lead_was_lost = crew_call_end(&w->crew);

    w->n_calls--;
    if (w->stopping && w->n_calls == 0)
        loop_stop(w->loop, w->exit_code);
    if (lead_was_lost) {
        listen_to_queue(w);
        accept_resume(w);
    }
    if (!list_empty(&w->ready))
        loop_task_queue(w->loop, &w->turn);
}

void dispatch_on_taken(struct worker *w)
{
    listen_to_queue(w);
    if (!dispatch_may_call(w))
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
    if (first && is_late(w, container_of(first, struct conn, link)->x->ready_us))
        return true;
    return atomic_load(&board->depth) > 0 && is_late(w, atomic_load(&board->taken_us));
}

void dispatch_wait(struct conn *c)
{
    struct worker *w = c->worker;
    struct queue_board *board = w->start->queue.board;

    c->x->ready_us = now_us(w);
    if (is_full(w)) {
        refuse(c);
        return;
    }
    /* When nobody follows, each finishes what it has, and what is left in the queue. */
    if (!w->closes && handoff_give(c) == 0) {
        conn_let_go(c);
        return;
    }
    if (list_empty(&w->ready) && atomic_load(&board->depth) <= 0)
        atomic_store(&board->empty_us, now_us(w));
    conn_set_state(c, CONN_READY);
    list_remove(&c->link);
    list_append(&w->ready, &c->link);
    w->n_ready++;
    (void)conn_listen(c);
}

void dispatch_forget(struct worker *w)
{
    w->n_ready--;
}
