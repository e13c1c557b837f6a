/* SPDX-License-Identifier: MIT */
/* The worker's life: it says hello, takes connections until the master tells it to finish, finishes
 * what it has and ends. The application runs on the thread of the loop.
 *
 * Signals keep their default action where an application's child processes would inherit it, so
 * nothing is blocked: SIGTERM goes through an eventfd, and those that a terminal or an operator
 * sends to the whole group are caught by a handler that does nothing (exec resets handlers). */
#include "worker/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/title.h"
#include "ipc/family.h"
#include "worker/conn.h"
#include "worker/dispatch.h"
#include "worker/sources.h"
#include "worker/stacks.h"
#include "worker/worker-private.h"

/* How long an idle connection may stay idle when a successor serves: the client's next request is
 * answered with "Connection: close", which closes without a race. */
#define DRAIN_IDLE_US (10 * US_PER_SEC)
#define OFFER_US      (10 * US_PER_MS)

static struct worker *the_worker; /* of this process: for plugins and signal handlers */

int worker_id(void)
{
    return the_worker ? the_worker->start->id : 0;
}

int64_t worker_master_pid(void)
{
    return the_worker ? the_worker->start->master : 0;
}

int worker_request_reload(void)
{
    const struct message m = {.type = FAMILY_RELOAD};

    return the_worker ? message_send(the_worker->channel.io.fd, &m) : -ESRCH;
}

void worker_forget(void)
{
    the_worker = NULL;
}

const char *worker_date(void)
{
    static _Thread_local struct http_date date;

    return http_date_at(&date, time(NULL));
}

/* For the master only the first and the last one matter. One that drains leaves the slot to its
 * successor. */
void worker_count_open(struct worker *w, int change)
{
    uint32_t before = w->n_open;

    w->n_open += (uint32_t)change;
    if (!w->draining && (before == 0 || w->n_open == 0))
        atomic_store_explicit(&worker_slot(w)->quiet_us, w->n_open == 0 ? loop_now_us(w->loop) : 0,
                              memory_order_relaxed);
    if (w->n_open == 0)
        reshare_on_quiet(w);
}

/* What the request has imported. */
static void report_sources(struct worker *w)
{
    crew_enter_interpreters(crew_self());
    (void)sources_tell(w->start->apps, w->channel.io.fd, false);
}

void worker_on_answer(struct worker *w)
{
    const struct message m = {.type = FAMILY_LOYAL};

    w->n_requests++;
    atomic_store_explicit(&worker_slot(w)->n_requests,
                          atomic_load_explicit(&worker_slot(w)->n_requests, memory_order_relaxed) +
                              1,
                          memory_order_relaxed);
    retire_on_answer(w);
    promote_on_answer(w);
    if (w->reports_sources)
        report_sources(w);

    if (!w->loyal)
        w->loyal = message_send(w->channel.io.fd, &m) == 0;
}

/* Ends the process, but not in the middle of a call: who asks for it kills what does not end. */
static void stop(struct worker *w, int code)
{
    w->stopping = true; /* no call begins any more */
    w->exit_code = code;
    if (w->n_calls == 0)
        loop_stop(w->loop, code);
    else
        dispatch_take(w, false);
}

void worker_on_conn_end(struct worker *w)
{
    if (!w->draining || w->accepting || !list_empty(&w->conns) || !list_empty(&w->ready))
        return;
    if (dispatch_has_more(w))
        worker_offer_later(w); /* somebody else may take it */
    else
        stop(w, EXIT_SUCCESS);
}

static void on_offer(struct loop_timer *t)
{
    struct worker *w = container_of(t, struct worker, offer);

    LIST_FOREACH (item, &w->conns)
        conn_drain(container_of(item, struct conn, link));
    worker_on_conn_end(w);
}

void worker_offer_later(struct worker *w)
{
    loop_timer_set(w->loop, &w->offer, loop_now_us(w->loop) + OFFER_US);
}

/* What is open here is nothing of our successor's, which has the slot from now on. */
static void leave_slot(struct worker *w)
{
    if (w->n_open > 0)
        atomic_store_explicit(&worker_slot(w)->quiet_us, loop_now_us(w->loop),
                              memory_order_relaxed);
}

/* Begins to finish or, when nobody follows any more, finishes faster. */
static void drain(struct worker *w, enum family_drain how)
{
    const struct message closed = {.type = FAMILY_CLOSED};
    bool first = !w->draining;

    if (!first && how != FAMILY_DRAIN_LAST)
        return;
    if (first)
        leave_slot(w);
    w->draining = true;
    w->drain_idle_us = how == FAMILY_DRAIN_LAST ? 0 : DRAIN_IDLE_US;
    w->closes = how == FAMILY_DRAIN_LAST;
    title_set_state("finishing");
    dispatch_take(w, w->closes);
    if (first) {
        accept_stop(w, how == FAMILY_DRAIN_LAST);
        if (message_send(w->channel.io.fd, &closed) < 0)
            log_debug("the master does not listen"); /* it will see our end */
    }
    LIST_FOREACH (item, &w->conns)
        conn_drain(container_of(item, struct conn, link));
    worker_on_conn_end(w);
}

/* The master counts on us from now on, and would let us finish. */
static int on_serve(struct channel *c, struct message *m)
{
    struct worker *w = container_of(c, struct worker, channel);

    (void)m;
    if (w->draining || w->stopping)
        return 0;
    title_set_state("");
    dispatch_take(w, true);
    int r = w->queue_listens ? accept_start(w) : -EIO;
    if (r < 0) {
        (void)log_errno(LOG_ERR, r, "cannot accept connections");
        stop(w, EXIT_FAILURE);
    }
    return 0;
}

static int on_drain(struct channel *c, struct message *m)
{
    drain(container_of(c, struct worker, channel), m->value);
    return 0;
}

static int on_stop(struct channel *c, struct message *m)
{
    (void)m;
    stop(container_of(c, struct worker, channel), EXIT_SUCCESS);
    return 0;
}

/* Says what runs, and what becomes of it. */
static void log_call(int level, const char *why, const struct conn *c, const char *then)
{
    const struct liege_request *req = &c->x->req;
    uint64_t ms = (loop_now_us(c->worker->loop) - c->since_us) / US_PER_MS;

    (void)log_full(level, 0, "%s%.*s %.*s from %s has been running for %llu.%llu s: %s", why,
                   (int)req->method.len, req->method.data, (int)MIN(req->target.len, (size_t)200),
                   req->target.data, conn_peer(c), (unsigned long long)(ms / 1000),
                   (unsigned long long)(ms % 1000 / 100), then);
}

/* The end of a worker that cannot end otherwise: the log is told where its threads are. */
_noreturn_ static void die(struct worker *w)
{
    stacks_log(w->start->apps);
    access_log_flush(&w->log);
    (void)kill(getpid(), SIGKILL);
    abort(); /* never reached: this signal cannot be held back */
}

/* What runs, and where all threads are. */
static int on_show(struct channel *c, struct message *m)
{
    struct worker *w = container_of(c, struct worker, channel);

    (void)m;
    loop_update_now(w->loop);
    log_info("has %u connections, and %u calls of the application are in progress", w->n_conns,
             w->n_calls);
    LIST_FOREACH (item, &w->conns) {
        const struct conn *conn = container_of(item, struct conn, link);
        if (conn->state == CONN_CALL)
            log_call(LOG_INFO, "", conn, "it goes on");
    }
    stacks_show(w->start->apps);
    return 0;
}

static int on_promote(struct channel *c, struct message *m)
{
    promote_begin(container_of(c, struct worker, channel), m);
    return 0;
}

static int on_give_up(struct channel *c, struct message *m)
{
    struct worker *w = container_of(c, struct worker, channel);

    (void)m;
    loop_update_now(w->loop);
    LIST_FOREACH (item, &w->conns) {
        const struct conn *conn = container_of(item, struct conn, link);
        if (conn->state == CONN_CALL)
            log_call(LOG_WARNING, "", conn, "it is given up");
    }
    die(w);
}

/* clang-format off */
static const struct channel_rule master_rules[FAMILY_TYPE_COUNT] = {
    [FAMILY_SERVE]   = { .handler = on_serve },
    [FAMILY_DRAIN]   = { .handler = on_drain },
    [FAMILY_STOP]    = { .handler = on_stop },
    [FAMILY_GIVE_UP] = { .handler = on_give_up },
    [FAMILY_SHOW]    = { .handler = on_show },
    [FAMILY_PROMOTE] = { .handler = on_promote, .n_fds = 2 },
};
/* clang-format on */

static void on_master_lost(struct channel *c, int error)
{
    struct worker *w = container_of(c, struct worker, channel);

    (void)error;
    stop(w, EXIT_FAILURE); /* nobody would ever tell us to end */
}

static void on_wake(struct loop_io *io, uint32_t events)
{
    uint64_t count = 0;

    (void)events;
    if (read(io->fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
        drain(container_of(io, struct worker, wake), FAMILY_DRAIN_SUCCEEDED);
}

/* A process that the application has just forked, which has our handlers until on_fork(): the
 * signal is not for the worker. */
static bool is_for_a_copy(int sig)
{
    if (the_worker && the_worker->pid == getpid())
        return false;
    (void)signal(sig, SIG_DFL);
    (void)raise(sig);
    return true;
}

static void on_sigterm(int sig)
{
    const uint64_t one = 1;
    int saved = errno;

    if (is_for_a_copy(sig))
        return;
    (void)!write(the_worker->wake.fd, &one, sizeof(one)); /* full: it is awake */
    errno = saved;
}

static void on_quiet_signal(int sig)
{
    (void)is_for_a_copy(sig);
}

static const int quiet_signals[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGUSR1,
                                    SIGUSR2, SIGTTIN, SIGTTOU, SIGWINCH};

/* True if the application has a handler of its own; those for a terminal's keys are the
 * interpreter's. */
static bool is_taken(int sig)
{
    struct sigaction sa = {0};

    (void)sigaction(sig, NULL, &sa);
    return sig != SIGINT && sig != SIGQUIT && sa.sa_handler != SIG_DFL && sa.sa_handler != SIG_IGN;
}

static int set_signals(struct worker *w)
{
    struct sigaction sa = {.sa_handler = on_quiet_signal, .sa_flags = SA_RESTART};

    for (size_t i = 0; i < COUNT_OF(quiet_signals); i++)
        if (!is_taken(quiet_signals[i]))
            (void)sigaction(quiet_signals[i], &sa, NULL); /* they exist and can be caught */
    w->wake = (struct loop_io){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .fn = on_wake};
    if (w->wake.fd < 0)
        return -errno;
    sa.sa_handler = on_sigterm;
    (void)sigaction(SIGTERM, &sa, NULL);
    return loop_io_add(w->loop, &w->wake, EPOLLIN);
}

static void give_back_signal(int sig)
{
    struct sigaction sa = {0};

    (void)sigaction(sig, NULL, &sa);
    if (sa.sa_handler == on_sigterm || sa.sa_handler == on_quiet_signal)
        (void)signal(sig, SIG_DFL);
}

/* A process that the application forked: it must not answer the request, nor go on as a second
 * worker, and what ends it must not end us. */
static void on_fork(void)
{
    if (!the_worker)
        return; /* of a zygote that was one */
    the_worker->copied = true;
    if (crew_self() && crew_self()->calling)
        crew_self()->calling->answer.failed = true;
    give_back_signal(SIGTERM);
    for (size_t i = 0; i < COUNT_OF(quiet_signals); i++)
        give_back_signal(quiet_signals[i]);
}

void worker_on_slow(struct conn *c)
{
    log_call(LOG_WARNING, "", c, "after as long again this worker is killed");
}

/* A request has been in the application for too long. This worker is lost: others take what they
 * can of its connections, the log is told where its threads are, then it goes, with all that it
 * has.
 */
void worker_on_stuck(struct conn *c)
{
    struct worker *w = c->worker;

    log_call(LOG_ERR, "harakiri: ", c, "this worker is killed");
    drain(w, FAMILY_DRAIN_SUCCEEDED);
    die(w);
}

static void before_wait(void *data)
{
    struct worker *w = data;

    atomic_store_explicit(&worker_slot(w)->idle, dispatch_may_call(w) && w->takes,
                          memory_order_relaxed);
}

static void on_taken(void *data)
{
    dispatch_on_taken(data);
}

static bool is_behind(void *data)
{
    const struct worker *w = data;

    return scoreboard_others_idle(w->start->board, w->start->id);
}

static void on_end(void *data, int code)
{
    struct worker *w = data;

    if (code < 0) {
        (void)log_errno(LOG_ERR, code, "the loop failed");
        code = EXIT_FAILURE;
    }
    access_log_flush(&w->log);
    crew_enter_interpreters(crew_self());
    apps_stop(w->start->apps);
    keeper_end(&w->keeper);
    _exit(code);
}

/* Who is believed what about clients. */
static int set_up_trust(struct worker *w, struct errmsg *err)
{
    const struct worker_conf *conf = w->conf;
    int r = forwarded_rules_init(&w->forwarded, &conf->trusted_proxies,
                                 &conf->trusted_proxy_headers, err);

    for (size_t i = 0; r == 0 && i < conf->proxy_protocol_peers.n_items; i++)
        r = net_list_add(&w->proxy_peers, conf->proxy_protocol_peers.items[i], err);
    return r;
}

static int set_up(struct worker *w, struct errmsg *err)
{
    const struct worker_conf *conf = w->conf;
    const char *spool_dir = getenv("TMPDIR");

    list_init(&w->conns);
    atomic_store(&worker_slot(w)->n_conns, 0);
    atomic_store(&worker_slot(w)->quiet_us, clock_now_us());
    list_init(&w->spare_conns);
    list_init(&w->spare_exchanges);
    w->offer.fn = on_offer;
    w->spool_dir = spool_dir && *spool_dir ? spool_dir : "/tmp";
    w->limits = (struct proto_limits){
        .max_head_bytes = conf->max_head_bytes,
        .max_target_bytes = conf->max_target_bytes,
        .max_field_bytes = conf->max_field_bytes,
        .max_fields = conf->max_fields,
        .max_body_bytes = conf->max_body_bytes,
    };
    w->n_acceptors = w->start->n_listeners;
    w->acceptors = calloc(w->n_acceptors + 1, sizeof(*w->acceptors));
    if (!w->acceptors)
        return errmsg_set(err, -ENOMEM, "out of memory");

    int r = set_up_trust(w, err);
    if (r < 0)
        return r;
    r = keeper_open(&w->keeper, &w->start->queue, w->start->channel_fd);
    if (r < 0)
        return errmsg_set_errno(err, r, "cannot map memory");
    r = loop_new(&w->loop);
    if (r == 0)
        r = set_signals(w);
    if (r == 0)
        r = -pthread_atfork(NULL, NULL, on_fork);
    if (r == 0)
        r = channel_open(&w->channel, w->loop, w->start->channel_fd, master_rules,
                         COUNT_OF(master_rules), on_master_lost);
    if (r < 0)
        return errmsg_set_errno(err, r, "cannot set up the loop");
    r = access_log_init(&w->log, w->loop, conf, err);
    if (r < 0)
        return r;
    stacks_start();
    r = apps_worker_start(w->start->apps, err);
    if (r < 0)
        return r;
    /* In a worker of one thread at a time the application's calls are all on this one. */
    const struct crew_owner owner = {
        .before_wait = before_wait,
        .on_taken = on_taken,
        .is_behind = is_behind,
        .on_end = on_end,
        .data = w,
    };
    r = crew_start(&w->crew, w->loop, w->start->apps, conf->threads, conf->threads == 1, &owner);
    if (r < 0)
        return errmsg_set_errno(err, r, "cannot start the threads");
    w->reports_sources = sources_tell(w->start->apps, w->channel.io.fd, true);
    retire_start(w);
    pulse_start(w);
    reshare_start(w);
    dispatch_prepare(w);
    accept_prepare(w);
    return 0;
}

int worker_run(const struct worker_start *start)
{
    const struct message ready = {.type = FAMILY_READY};
    struct worker *w = calloc(1, sizeof(*w));
    struct errmsg err = {"out of memory"};

    if (w) {
        *w = (struct worker){.start = start, .conf = start->conf, .pid = getpid()};
        the_worker = w;
    }
    if (!w || set_up(w, &err) < 0) {
        (void)message_send_text(start->channel_fd, FAMILY_WORKER_FAILED, 0, err.text);
        return EXIT_FAILURE;
    }
    if (message_send(w->channel.io.fd, &ready) < 0)
        return EXIT_FAILURE; /* the master has gone */
    crew_lead(&w->crew);
}
