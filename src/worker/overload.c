/* SPDX-License-Identifier: MIT */
/* Who has waited for too long. The time that a request waited is known of those in the queue; those
 * that waited unread in a socket, because the application had the worker, the kernel knows of. */
#include "worker/overload.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "worker/conn.h"
#include "worker/worker-private.h"

#define CALM_US        (100 * US_PER_MS) /* a wait shorter than this is none */
#define OVERLOAD_US    (3 * US_PER_SEC)
#define IMPATIENT_US   (60 * US_PER_SEC) /* for so long it counts that a client has gone */
#define PRESSED_US     US_PER_SEC /* after a long call, requests may have waited in sockets */
#define HALF_CLOSED_US US_PER_SEC /* a client may have said all and wait for its answer so long */
#define RETRY_AFTER    1          /* seconds */

static uint64_t now_us(const struct worker *w)
{
    return loop_now_us(w->loop);
}

void overload_refuse(struct conn *c)
{
    conn_refuse(c, 503, RETRY_AFTER, "too many requests wait for a worker");
}

static bool is_overloaded(const struct worker *w)
{
    uint64_t gone_us = atomic_load(&w->start->queue.board->gone_us);

    return now_us(w) > w->calm_us + OVERLOAD_US && gone_us != 0 &&
           now_us(w) < gone_us + IMPATIENT_US;
}

bool overload_is_late(const struct worker *w, uint64_t ready_us)
{
    return now_us(w) > ready_us + w->conf->overload_wait_us && is_overloaded(w);
}

bool overload_in_time(struct worker *w, uint64_t ready_us)
{
    if (now_us(w) < ready_us + CALM_US)
        w->calm_us = now_us(w);
    if (!overload_is_late(w, ready_us))
        return true;
    atomic_fetch_add(&w->start->queue.board->n_late, 1);
    return false;
}

/* What the kernel knows of a TCP connection: whether its client has closed, and when its last bytes
 * came. Returns false of other sockets. */
static bool look_at(const struct conn *c, bool *ret_closed, uint64_t *ret_came_us)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);

    if (getsockopt(c->io.fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0)
        return false;
    *ret_closed = info.tcpi_state != TCP_ESTABLISHED;
    *ret_came_us = now_us(c->worker) - MIN(now_us(c->worker), info.tcpi_last_data_recv * US_PER_MS);
    return true;
}

bool overload_has_left(const struct conn *c, uint64_t since_us)
{
    return c->x->proto.facts.keep_alive || now_us(c->worker) > since_us + HALF_CLOSED_US;
}

/* A request that has waited in its socket, because nobody looked, is like one in the queue; but it
 * may have come with the end of what its client sends a moment ago. */
bool overload_admit(struct conn *c)
{
    struct worker *w = c->worker;
    bool closed = false;
    uint64_t came_us = 0;

    if (now_us(w) > w->long_call_us + PRESSED_US) {
        w->calm_us = now_us(w);
        return true;
    }
    if (!look_at(c, &closed, &came_us))
        return true;
    if (closed && now_us(w) > came_us + HALF_CLOSED_US) {
        queue_note_gone(&w->start->queue);
        conn_close(c);
        return false;
    }
    if (overload_in_time(w, came_us))
        return true;
    overload_refuse(c);
    return false;
}
