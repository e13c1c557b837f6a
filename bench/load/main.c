/* SPDX-License-Identifier: MIT */
/* The load generator: one thread, one epoll loop. In an open loop requests come at times that are
 * fixed before (arrivals.c), however slow the server is: one for which no client is free waits
 * here, and that counts as its latency, so nothing is left out that a user would have waited for.
 * In a closed loop each client asks again when it has its answer. Clients are taken in turn. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "load/arrivals.h"
#include "load/client.h"
#include "load/plan.h"
#include "load/report.h"

struct load {
    struct plan plan;
    struct arrivals arrivals;
    struct report report;
    int epoll_fd, timer_fd;
    struct client *clients;
    size_t n_clients;
    struct list free;    /* clients without a request, the one that waits longest first */
    struct list waiting; /* requests without a client, oldest first */
    struct list running; /* requests with one, by their deadlines */
    uint64_t n_ids;
    bool more;        /* requests are still to come */
    uint64_t next_us; /* the next arrival, or the end of the closed loop */
};

static volatile sig_atomic_t stopped;

static void on_signal(int sig)
{
    stopped = sig;
}

static struct request *request_of(struct list *l)
{
    return container_of(l, struct request, link);
}

/* Notes the end of @r, whose client is free, and forgets it. */
static int end_request(struct load *l, struct request *r, enum progress p)
{
    int e = report_note(&l->report, r, p, r->client ? &r->client->answer : NULL);

    list_remove(&r->link);
    free(r);
    return e;
}

static int make_request(struct load *l, uint64_t scheduled_us, struct request **ret)
{
    struct request *r = calloc(1, sizeof(*r));

    if (!r)
        return -ENOMEM;
    r->id = l->n_ids++;
    r->kind = arrivals_kind(&l->arrivals);
    r->scheduled_us = scheduled_us;
    list_init(&r->link);
    *ret = r;
    return 0;
}

/* Gives @r to the client @c. Returns 0, or 1 if that failed at once: @c is free again then and the
 * last in its list. */
static int begin(struct load *l, struct client *c, struct request *r)
{
    list_remove(&r->link);
    list_remove(&c->link);
    enum progress p = client_begin(c, r, &l->plan, l->epoll_fd);
    if (p == PROGRESS_GOING_ON) {
        list_append(&l->running, &r->link);
        return 0;
    }
    list_append(&l->free, &c->link);
    int e = end_request(l, r, p);
    return e < 0 ? e : 1;
}

/* Brings waiting requests and free clients together. In a closed loop no client stays free, unless
 * there is no connection to be had: then it is tried again a little later. */
static int assign(struct load *l)
{
    bool closed_loop = l->plan.n_phases == 0;

    for (struct list *c; (c = list_first(&l->free)) != NULL;) {
        struct list *waiting = list_first(&l->waiting);
        struct request *next = waiting ? request_of(waiting) : NULL;
        if (!next && (!closed_loop || !l->more))
            return 0;
        int r = next ? 0 : make_request(l, clock_now_us(), &next);
        if (r == 0)
            r = begin(l, container_of(c, struct client, link), next);
        if (r < 0)
            return r;
        if (r > 0 && closed_loop)
            return 0;
    }
    return 0;
}

static int on_connection(struct load *l, struct client *c)
{
    struct request *r = c->request;

    if (c->fd < 0)
        return 0; /* closed by what came before in this round */
    enum progress p = client_go_on(c);
    if (p == PROGRESS_GOING_ON)
        return 0;
    if (!r) {
        report_idle_end(&l->report, p);
        return 0;
    }
    list_append(&l->free, &c->link);
    return end_request(l, r, p);
}

/* Clients that have waited too long go away; so do those who wait for a client. */
static int expire(struct load *l, uint64_t now)
{
    int r = 0;

    LIST_FOREACH (it, &l->running) {
        struct request *late = request_of(it);
        if (r < 0 || late->scheduled_us + l->plan.timeout_us > now)
            break;
        client_close(late->client);
        late->client->request = NULL;
        list_append(&l->free, &late->client->link);
        r = end_request(l, late, PROGRESS_TIMEOUT);
    }
    LIST_FOREACH (it, &l->waiting) {
        if (r < 0 || request_of(it)->scheduled_us + l->plan.timeout_us > now)
            break;
        r = end_request(l, request_of(it), PROGRESS_TIMEOUT);
    }
    return r;
}

/* All arrivals up to @now. */
static int arrive(struct load *l, uint64_t now)
{
    while (l->more && l->next_us <= now) {
        struct request *r = NULL;
        uint64_t at = 0;
        if (l->plan.n_phases == 0) {
            l->more = false;
            break;
        }
        int e = make_request(l, l->next_us, &r);
        if (e < 0)
            return e;
        list_append(&l->waiting, &r->link);
        l->report.latest_us = MAX(l->report.latest_us, now - l->next_us);
        l->more = arrivals_next(&l->arrivals, &at);
        l->next_us = l->report.began_us + at;
    }
    return 0;
}

static uint64_t deadline_of(const struct load *l, const struct list *requests)
{
    struct list *first = list_first(requests);

    return first ? request_of(first)->scheduled_us + l->plan.timeout_us : UINT64_MAX;
}

/* Sets the timer to the next thing that has a time. */
static int set_timer(const struct load *l)
{
    uint64_t at = MIN(deadline_of(l, &l->running), deadline_of(l, &l->waiting));

    if (l->more)
        at = MIN(at, l->next_us);
    if (l->more && l->plan.n_phases == 0 && !list_empty(&l->free))
        at = MIN(at, clock_now_us() + US_PER_MS);
    if (at == UINT64_MAX)
        at = clock_now_us() + US_PER_SEC;
    struct itimerspec t = {.it_value = {.tv_sec = (time_t)(at / US_PER_SEC),
                                        .tv_nsec = (long)(at % US_PER_SEC) * 1000}};
    return timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &t, NULL) < 0 ? -errno : 0;
}

static int turn(struct load *l)
{
    struct epoll_event events[256];
    uint64_t expirations = 0;
    int r = set_timer(l);

    if (r < 0)
        return r;
    int n = epoll_wait(l->epoll_fd, events, COUNT_OF(events), -1);
    if (n < 0 && errno != EINTR)
        return -errno;
    for (int i = 0; r == 0 && i < n; i++) {
        if (events[i].data.ptr)
            r = on_connection(l, events[i].data.ptr);
        else if (read(l->timer_fd, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
            r = -errno;
    }
    uint64_t now = clock_now_us();
    if (stopped)
        l->more = false;
    if (r == 0)
        r = arrive(l, now);
    if (r == 0)
        r = expire(l, now);
    return r == 0 ? assign(l) : r;
}

static int run(struct load *l)
{
    uint64_t at = 0;
    int r = report_init(&l->report, &l->plan);

    if (r < 0)
        return r;
    arrivals_init(&l->arrivals, &l->plan);
    l->more = true;
    if (l->plan.n_phases > 0)
        l->more = arrivals_next(&l->arrivals, &at);
    else
        at = (uint64_t)(l->plan.seconds * 1e6);
    l->next_us = l->report.began_us + at;
    r = assign(l);
    while (r == 0 && (l->more || !list_empty(&l->running) || !list_empty(&l->waiting)))
        r = turn(l);
    l->report.ended_us = clock_now_us();
    return r;
}

static int prepare(struct load *l)
{
    struct epoll_event timer = {.events = EPOLLIN};
    struct sigaction stop = {.sa_handler = on_signal};
    struct rlimit files = {0};

    list_init(&l->free);
    list_init(&l->waiting);
    list_init(&l->running);
    l->n_clients = (size_t)l->plan.n_keep_alive + l->plan.n_per_request;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files); /* what is missing shows as no-connection */
    }
    l->clients = calloc(l->n_clients, sizeof(*l->clients));
    if (!l->clients)
        return -ENOMEM;
    for (size_t i = 0; i < l->n_clients; i++) {
        client_init(&l->clients[i], i < l->plan.n_keep_alive);
        list_append(&l->free, &l->clients[i].link);
    }
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (l->epoll_fd < 0 || l->timer_fd < 0 ||
        epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->timer_fd, &timer) < 0)
        return -errno;
    if (sigaction(SIGINT, &stop, NULL) < 0 || sigaction(SIGTERM, &stop, NULL) < 0)
        return -errno;
    return 0;
}

static void load_done(struct load *l)
{
    for (size_t i = 0; l->clients && i < l->n_clients; i++)
        client_close(&l->clients[i]);
    free(l->clients);
    closep(&l->epoll_fd);
    closep(&l->timer_fd);
}

int main(int argc, char *argv[])
{
    struct load l = {.epoll_fd = -EBADF, .timer_fd = -EBADF};
    struct errmsg err = {0};
    int r = plan_read(argc, argv, &l.plan, &err);

    if (r != 0) {
        if (r < 0)
            (void)fprintf(stderr, "load: %s\n", err.text);
        return r < 0 ? 2 : 0;
    }
    r = prepare(&l);
    if (r == 0)
        r = run(&l);
    if (r == 0)
        report_print(&l.report, stdout);
    int written = report_done(&l.report);
    load_done(&l);
    r = r < 0 ? r : written;
    if (r < 0)
        (void)fprintf(stderr, "load: %s\n", strerror(-r));
    return r < 0;
}
