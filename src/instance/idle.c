/* SPDX-License-Identifier: MIT */
/* Nothing is counted and nobody asks the workers: a look takes the latest of their time stamps and
 * sets the timer to when that will have been long enough. A request that is open at a look may end
 * right after it, so the next look comes a whole limit later. So the master of a busy instance
 * wakes once in that time, and that of an idle one at the exact moment. */
#include "instance/idle.h"

#include <assert.h>
#include <poll.h>

#include "instance/generation.h"

/* True if a connection has not been accepted yet, or a request is on its way from worker to worker.
 */
static bool something_waits(const struct generation *g)
{
    struct pollfd p[LISTEN_MAX_SOCKETS + 1] = {{.fd = g->queue->take_fd, .events = POLLIN}};
    nfds_t n = 1;

    for (size_t i = 0; i < g->listeners.n_items; i++)
        p[n++] = (struct pollfd){.fd = g->listeners.items[i]->fd, .events = POLLIN};
    return poll(p, n, 0) > 0;
}

/* When the last request was over, as far as is known; @now_us if there is one. */
static uint64_t find_last(const struct idle *i, uint64_t now_us)
{
    const struct generation *g = i->generation(i->data);
    uint64_t quiet_us = 0;

    if (!g || !generation_is_quiet(g, &quiet_us) || something_waits(g))
        return now_us;
    return MAX(quiet_us, i->since_us);
}

static void on_timer(struct loop_timer *t)
{
    struct idle *i = container_of(t, struct idle, timer);
    uint64_t now_us = loop_now_us(i->loop), due_us = find_last(i, now_us) + i->limit_us;

    if (now_us < due_us)
        loop_timer_set(i->loop, t, due_us);
    else
        i->on_idle(i->data);
}

void idle_init(struct idle *i, const struct generation *(*generation)(void *data),
               void (*on_idle)(void *data), void (*on_bell)(void *data), void *data)
{
    *i = (struct idle){.timer.fn = on_timer,
                       .generation = generation,
                       .on_idle = on_idle,
                       .on_bell = on_bell,
                       .data = data};
}

static void stop_bells(struct idle *i)
{
    for (size_t n = 0; n < i->n_bells; n++)
        loop_io_remove(i->loop, &i->bells[n].io);
    i->n_bells = 0;
}

void idle_stop(struct idle *i)
{
    if (!i->loop)
        return;
    loop_timer_clear(i->loop, &i->timer);
    stop_bells(i);
}

void idle_configure(struct idle *i, struct loop *loop, uint64_t limit_us)
{
    i->loop = loop;
    idle_stop(i);
    i->limit_us = limit_us;
    i->since_us = loop_now_us(loop);
    if (limit_us != 0)
        loop_timer_set(loop, &i->timer, i->since_us + limit_us);
}

/* Which socket it is says nothing: all are answered by the same workers. */
static void on_bell(struct loop_io *io, uint32_t events)
{
    struct idle *i = container_of(io, struct bell, io)->idle;

    (void)events;
    stop_bells(i);
    i->on_bell(i->data);
}

int idle_wait_for_bell(struct idle *i, const struct listeners *l)
{
    int r = 0;

    assert(i->n_bells == 0);
    for (size_t n = 0; n < l->n_items && r == 0; n++) {
        i->bells[n] = (struct bell){.io = {.fd = l->items[n]->fd, .fn = on_bell}, .idle = i};
        r = loop_io_add(i->loop, &i->bells[n].io, EPOLLIN);
        i->n_bells += r == 0;
    }
    if (r < 0)
        stop_bells(i);
    return r;
}
