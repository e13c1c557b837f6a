/* SPDX-License-Identifier: MIT */
/* The life of a connection. Which events are listened to and how long is allowed follow from the
 * state alone (the table `states`). Requests of one connection are answered in order, one at a
 * time. Reading them is conn-read.c's, answering them answer.c's; nothing here ever waits. */
#include "worker/conn.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "tls/tls.h"
#include "worker/conn-io.h"
#include "worker/dispatch.h"
#include "worker/handoff.h"
#include "worker/keeper.h"
#include "worker/worker-private.h"

#define SPARE_CONNS    64
#define LEVEL_REQUESTS 256 /* between two looks at how the connections are spread */
#define LINGER_US      (2 * US_PER_SEC)

/* Of a state: what it waits for and how long. */
struct state_rule {
    enum { LISTENS_TO_NOTHING, READS, WRITES, WATCHES } listens; /* WATCHES: for its end */
    size_t timeout; /* offset in struct worker_conf; 0: LINGER_US */
    bool renews;    /* the time starts again with each sign of life */
    bool untimed;
    bool paced; /* there must be min-rate on the whole, too */
    bool open;  /* a request is being read or answered, or is about to come */
};

/* clang-format off */
static const struct state_rule states[] = {
    [CONN_HANDSHAKE] = { .listens = READS, .open = true,
                      .timeout = offsetof(struct worker_conf, head_timeout_us) },
    [CONN_IDLE]   = { .listens = READS,
                      .timeout = offsetof(struct worker_conf, keepalive_timeout_us) },
    [CONN_HEAD]   = { .listens = READS, .open = true,
                      .timeout = offsetof(struct worker_conf, head_timeout_us) },
    [CONN_BODY]   = { .listens = READS, .renews = true, .paced = true, .open = true,
                      .timeout = offsetof(struct worker_conf, socket_timeout_us) },
    [CONN_READY]  = { .listens = WATCHES, .untimed = true, .open = true },
    [CONN_CALL]   = { .untimed = true, .open = true },
    [CONN_WRITE]  = { .listens = WRITES, .renews = true, .open = true,
                      .timeout = offsetof(struct worker_conf, socket_timeout_us) },
    [CONN_LINGER] = { .listens = READS },
};
/* clang-format on */
static_assert(COUNT_OF(states) == CONN_STATE_COUNT, "one rule for each state");

static uint64_t now_us(const struct conn *c)
{
    return loop_now_us(c->worker->loop);
}

const char *conn_peer(const struct conn *c)
{
    return *c->remote_addr ? c->remote_addr : c->acceptor->name;
}

/* Deadlines only move the timer when they come nearer; when it fires early it looks again. So a
 * busy connection does not touch the heap. */
static void set_deadline(struct conn *c, uint64_t at_us)
{
    c->deadline_us = at_us;
    if (!loop_timer_is_set(&c->timer) || c->timer.at_us > at_us)
        loop_timer_set(c->worker->loop, &c->timer, at_us);
}

/* A body must come at min-rate on the whole: a client that sends a byte now and then, and so never
 * stops making progress, is not waited for without end. */
static uint64_t paced_deadline(const struct conn *c, uint64_t limit)
{
    const struct worker_conf *conf = c->worker->conf;
    uint64_t at = now_us(c) + limit;

    assert(c->x);

    if (conf->min_rate == 0)
        return at;
    return MIN(at,
               c->since_us + limit + c->x->proto.facts.body_bytes * US_PER_SEC / conf->min_rate);
}

static void set_open(struct conn *c, bool open)
{
    if (c->open == open)
        return;
    c->open = open;
    worker_count_open(c->worker, open ? 1 : -1);
}

void conn_set_state(struct conn *c, enum conn_state state)
{
    const struct state_rule *rule = &states[state];
    bool changes = c->state != state || state == CONN_IDLE;

    if (changes)
        c->since_us = now_us(c);
    c->state = state;
    set_open(c, rule->open);
    if (!rule->untimed && (changes || rule->renews)) {
        uint64_t limit = LINGER_US;
        if (rule->timeout != 0)
            limit = *(const uint64_t *)((const char *)c->worker->conf + rule->timeout);
        set_deadline(c, rule->paced ? paced_deadline(c, limit) : now_us(c) + limit);
    } else if (state == CONN_CALL && c->worker->conf->harakiri_us != 0) {
        /* Each call has its full time, also a pipelined one and the last of a long round. */
        loop_update_now(c->worker->loop);
        c->since_us = now_us(c);
        c->warned = false;
        set_deadline(c, now_us(c) + c->worker->conf->harakiri_us / 2);
    }
    if (state == CONN_WRITE)
        (void)exchange_progresses(c->x); /* from now on */
}

static uint32_t events_of(const struct conn *c)
{
    uint32_t events = 0;

    switch (states[c->state].listens) {
    case READS:
    case WRITES:
        events = conn_io_events(c, states[c->state].listens == WRITES);
        return events == EPOLLIN ? EPOLLIN | EPOLLRDHUP : events;
    case WATCHES:
        assert(c->x);
        /* A client that wanted to go on and closes has lost its patience; one that closes after its
         * only request may wait for the answer all the same. */
        return EPOLLHUP | (c->x->proto.facts.keep_alive ? EPOLLRDHUP : 0);
    default:
        return 0;
    }
}

/* What is idle outlives the worker from now on. What TLS has agreed on does not. */
static bool hold(struct conn *c)
{
    if (!c->kept || c->tls || c->close_after)
        return false;
    handoff_describe_idle(c, &c->kept->entry);
    kept_hold(c->kept);
    return true;
}

void conn_hold_answered(struct conn *c)
{
    if (c->worker->keeper.started)
        (void)hold(c);
}

static void keep(struct conn *c)
{
    struct worker *w = c->worker;

    if (c->x || !hold(c) || w->keeper.started)
        return;
    int r = keeper_start(&w->keeper, w->start->master);
    if (r < 0)
        (void)log_errno(LOG_WARNING, r, "no keeper: idle connections end if this worker dies");
}

void conn_leave_idle(struct conn *c)
{
    if (c->kept)
        kept_release(c->kept);
}

bool conn_listen(struct conn *c)
{
    uint32_t events = events_of(c);
    int r = 0;

    if (c->state == CONN_IDLE)
        keep(c);
    if (c->listens == events)
        return true;
    if (c->listens == 0)
        r = loop_io_add(c->worker->loop, &c->io, events);
    else
        r = loop_io_modify(c->worker->loop, &c->io, events);
    if (r < 0) {
        (void)log_errno(LOG_ERR, r, "cannot watch a connection");
        conn_close(c);
        return false;
    }
    c->listens = events;
    return true;
}

/* epoll reports errors and hang-ups of whatever it knows: what nobody can act on now it must not
 * know. */
static void stop_listening(struct conn *c)
{
    if (c->listens != 0)
        loop_io_remove(c->worker->loop, &c->io);
    c->listens = 0;
}

/* Birth and death */

/* One that drains leaves the slot to its successor. */
static void count(struct worker *w, int change)
{
    w->n_conns += (uint32_t)change;
    if (!w->draining)
        atomic_store_explicit(&worker_slot(w)->n_conns, w->n_conns, memory_order_relaxed);
}

void conn_let_go(struct conn *c)
{
    struct worker *w = c->worker;

    keeper_leave(&w->keeper, c->kept); /* before its descriptor can be another one's */
    c->kept = NULL;
    set_open(c, false);
    stop_listening(c);
    c->tls = tls_free(c->tls);
    closep(&c->io.fd);
    loop_timer_clear(w->loop, &c->timer);
    loop_task_cancel(&c->more);
    if (c->x)
        exchange_end(w, c->x);
    c->x = NULL;
    if (c->state == CONN_READY)
        dispatch_forget(w);
    list_remove(&c->link);
    count(w, -1);
    if (w->n_spare_conns < SPARE_CONNS) {
        list_append(&w->spare_conns, &c->link);
        w->n_spare_conns++;
    } else {
        free(c);
    }
    worker_on_conn_end(w);
}

void conn_close(struct conn *c)
{
    conn_let_go(c);
}

static struct conn *conn_alloc(struct worker *w)
{
    struct list *spare = list_first(&w->spare_conns);

    if (!spare)
        return malloc(sizeof(struct conn));
    w->n_spare_conns--;
    list_remove(spare);
    return container_of(spare, struct conn, link);
}

struct exchange *conn_exchange(struct conn *c)
{
    if (!c->x)
        c->x = exchange_begin(c->worker, c);
    if (!c->x) {
        (void)log_errno(LOG_ERR, ENOMEM, "a request is dropped");
        conn_close(c);
        return NULL;
    }
    return c->x;
}

void conn_finish(struct conn *c)
{
    conn_leave_idle(c);
    int r = conn_io_end(c);

    if (r == -EAGAIN && c->x) {
        c->close_after = true; /* comes back here when there is room */
        conn_set_state(c, CONN_WRITE);
        (void)conn_listen(c);
        return;
    }
    if (r < 0) {
        conn_close(c); /* the client was faster, or has not taken its last answer all the time */
        return;
    }
    c->tls = tls_free(c->tls); /* what still comes is thrown away as it is */
    if (c->x)
        exchange_end(c->worker, c->x);
    c->x = NULL;
    conn_set_state(c, CONN_LINGER);
    (void)conn_listen(c);
}

void conn_hang_up(struct conn *c)
{
    if (c->tls)
        (void)conn_io_end(c); /* as far as it can be said without waiting */
    conn_close(c);
}

void conn_refuse(struct conn *c, int status, unsigned retry_s, const char *reason)
{
    struct exchange *x = conn_exchange(c);
    char text[16];
    struct liege_field retry = {.name = {"Retry-After", 11}, .value = {.data = text}};

    if (!x)
        return;
    bool answers = status > 0 && proto_can_answer(&x->proto);
    if (log_limit_allows(&c->worker->refusals, now_us(c))) {
        if (answers)
            log_info("%s: answered %d: %s", conn_peer(c), status, reason);
        else
            log_info("%s: closed: %s", conn_peer(c), reason);
    }
    retry.value.len = (size_t)snprintf(text, sizeof(text), "%u", retry_s);
    int r = answers ? exchange_put_error(x, status, retry_s > 0 ? &retry : NULL) : 0;
    if (r == 0)
        r = exchange_flush(x);
    if (r < 0) {
        conn_close(c);
        return;
    }
    c->close_after = true;
    if (exchange_all_sent(x)) {
        conn_finish(c);
        return;
    }
    conn_set_state(c, CONN_WRITE);
    (void)conn_listen(c);
}

/* It is told nothing (proxy-protocol.txt, section 2.1). */
void conn_refuse_proxy(struct conn *c, const char *reason)
{
    if (log_limit_allows(&c->worker->refusals, now_us(c)))
        log_info("%s: closed: %s", conn_peer(c), reason);
    conn_close(c);
}

/* Clients that stay are spread once more, now and then: who came when is no measure of what they
 * ask for, and workers come and go. */
static bool is_surplus(const struct worker *w)
{
    return scoreboard_n_workers(w->start->board) > 1 && w->n_requests % LEVEL_REQUESTS == 0 &&
           scoreboard_has_many(w->start->board, w->start->id);
}

void conn_go_idle(struct conn *c)
{
    if (c->x)
        exchange_end(c->worker, c->x);
    c->x = NULL;
    conn_set_state(c, CONN_IDLE);
    if (is_surplus(c->worker) && handoff_give(c) == 0)
        conn_let_go(c);
    else if (conn_listen(c) && c->worker->draining)
        conn_drain(c);
}

/* Events */

static void write_answer(struct conn *c)
{
    int r = exchange_flush(c->x);

    if (r < 0) {
        conn_close(c);
        return;
    }
    conn_set_state(c, CONN_WRITE);
    if (!exchange_all_sent(c->x))
        return;
    if (c->close_after)
        conn_finish(c);
    else
        conn_read_on(c);
}

/* Throws away what a client sends that was told goodbye. */
static void linger(struct conn *c)
{
    char *scratch = crew_self()->scratch;
    ssize_t n = recv(c->io.fd, scratch, CREW_SCRATCH_BYTES, 0);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
        conn_close(c);
}

static void on_event(struct loop_io *io, uint32_t events)
{
    struct conn *c = container_of(io, struct conn, io);

    if (c->state == CONN_CALL) {
        stop_listening(c); /* whatever it is, it shows when the answer is sent */
        return;
    }
    if (events & EPOLLERR) {
        conn_close(c);
        return;
    }
    switch (c->state) {
    case CONN_WRITE:
        write_answer(c);
        break;
    case CONN_LINGER:
        linger(c);
        break;
    case CONN_HANDSHAKE:
        conn_shake_hands(c);
        break;
    case CONN_READY:
        log_debug("%s: gone before its request had its turn", conn_peer(c));
        queue_note_gone(&c->worker->start->queue);
        conn_close(c);
        break;
    default:
        /* Pipelined requests that wait for their turn come before what can be read now. */
        if (list_empty(&c->more.link))
            conn_read(c);
    }
}

static void on_more(struct loop_task *t)
{
    conn_read_on(container_of(t, struct conn, more));
}

/* True if the client has done what is waited for, and only we have not looked yet: the loop was
 * busy, say. */
static bool has_news(const struct conn *c)
{
    struct pollfd p = {.fd = c->io.fd, .events = (short)conn_io_events(c, c->state == CONN_WRITE)};

    return c->state != CONN_LINGER && poll(&p, 1, 0) > 0;
}

static void cut_off(struct conn *c)
{
    if (log_limit_allows(&c->worker->refusals, now_us(c)))
        log_info("%s: took nothing of its answer for socket-timeout: cut off", conn_peer(c));
    conn_close(c);
}

static void on_deadline(struct conn *c)
{
    switch (c->state) {
    case CONN_HEAD:
        if (c->proxy_due)
            conn_refuse_proxy(c, "the PROXY header took longer than http-timeout");
        else
            conn_refuse(c, 408, 0, "the head of the request took longer than http-timeout");
        break;
    case CONN_BODY:
        conn_refuse(c, 408, 0,
                    "the body of the request came slower than min-rate, or not at all "
                    "for socket-timeout");
        break;
    case CONN_IDLE:
        conn_finish(c);
        break;
    case CONN_HANDSHAKE:
        if (c->proxy_due)
            conn_refuse_proxy(c, "the PROXY header took longer than http-timeout");
        else
            conn_close(c);
        break;
    case CONN_WRITE:
        if (exchange_progresses(c->x))
            conn_set_state(c, CONN_WRITE);
        else
            cut_off(c);
        break;
    case CONN_CALL:
        if (!c->warned) {
            worker_on_slow(c);
            c->warned = true;
            set_deadline(c, c->since_us + c->worker->conf->harakiri_us);
        } else {
            worker_on_stuck(c);
        }
        break;
    default:
        conn_close(c);
    }
}

static void on_timer(struct loop_timer *t)
{
    struct conn *c = container_of(t, struct conn, timer);
    bool untimed =
        c->state == CONN_READY || (c->state == CONN_CALL && c->worker->conf->harakiri_us == 0);

    if (untimed)
        return; /* of a state that is over */
    if (now_us(c) < c->deadline_us)
        loop_timer_set(c->worker->loop, t, c->deadline_us);
    else if (c->state != CONN_CALL && has_news(c))
        loop_timer_set(c->worker->loop, t, now_us(c) + US_PER_MS);
    else
        on_deadline(c);
}

void conn_shorten_idle(struct conn *c, uint64_t grace_us)
{
    set_deadline(c, MIN(c->deadline_us, now_us(c) + MAX(grace_us, c->worker->drain_idle_us)));
}

void conn_drain(struct conn *c)
{
    uint64_t grace_us = c->n_requests == 0 ? CONN_NEW_IDLE_US : 0;

    if (c->state != CONN_IDLE)
        return; /* later, when its answer is sent */
    conn_leave_idle(c);
    int r = c->worker->drain_idle_us > 0 ? handoff_give(c) : -ESRCH;
    if (r == 0) {
        conn_let_go(c);
        return;
    }
    keep(c);
    if (r == -EAGAIN)
        worker_offer_later(c->worker);
    if (has_news(c))
        return;
    if (MAX(grace_us, c->worker->drain_idle_us) == 0)
        conn_finish(c);
    else
        conn_shorten_idle(c, grace_us);
}

struct conn *conn_adopt(struct worker *w, const struct acceptor *a, int fd)
{
    struct conn *c = conn_alloc(w);

    if (!c) {
        (void)close(fd);
        (void)log_errno(LOG_ERR, ENOMEM, "a connection is refused");
        return NULL;
    }
    *c = (struct conn){
        .io = {.fd = fd, .fn = on_event},
        .worker = w,
        .acceptor = a,
        .protocol = a->protocol,
        .timer.fn = on_timer,
    };
    c->kept = keeper_enter(&w->keeper, fd);
    loop_task_init(&c->more, on_more);
    list_append(&w->conns, &c->link);
    count(w, 1);
    conn_set_state(c, CONN_IDLE);
    return c;
}

void conn_set_client(struct conn *c, const struct net_addr *client, uint16_t port)
{
    c->client = *client;
    c->trusted = net_list_has(&c->worker->forwarded.proxies, client);
    (void)net_addr_format(client, c->remote_addr);
    c->remote_port[0] = '\0';
    if (*c->remote_addr)
        (void)snprintf(c->remote_port, sizeof(c->remote_port), "%u", port);
}

struct conn *conn_open(struct worker *w, const struct acceptor *a, int fd,
                       const struct sockaddr *peer)
{
    struct conn *c = conn_adopt(w, a, fd);

    if (!c)
        return NULL;
    struct net_addr addr;
    net_addr_of(peer, &addr);
    conn_set_client(c, &addr, net_port_of(peer));
    c->proxy_due = net_list_has(&w->proxy_peers, &addr);
    return c;
}
