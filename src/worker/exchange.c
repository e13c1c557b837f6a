/* SPDX-License-Identifier: MIT */
/* Requests in progress: their memory, which is used again, and the sending of their answers. Bytes
 * go out first, then perhaps a piece of a file, as much as the socket takes. What it does not take
 * is kept (copied, or as a descriptor) for the loop, which sends it when there is room; only an
 * application that goes on writing to a slow client waits here, and for no longer than
 * socket-timeout without progress. */
#include "worker/exchange.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "worker/conn-io.h"
#include "worker/conn.h"
#include "worker/worker-private.h"

#define FILE_TURN_BYTES ((size_t)1024 * 1024)
#define MAX_SPARE       64
/* Larger buffers are given back when a request is over. */
#define KEPT_BUF_BYTES ((size_t)16 * 1024)

/* Memory */

static void drop_file(struct exchange *x)
{
    closep(&x->file.fd);
    x->file = (struct exchange_file){.fd = -1};
}

struct exchange *exchange_begin(struct worker *w, struct conn *c)
{
    struct list *spare = list_first(&w->spare_exchanges);
    struct exchange *x = NULL;

    if (spare) {
        w->n_spare_exchanges--;
        list_remove(spare);
        x = container_of(spare, struct exchange, link);
    } else {
        x = calloc(1, sizeof(*x));
        if (!x)
            return NULL;
        list_init(&x->link);
        x->file.fd = -1;
        http_body_init(&x->body, w->conf->body_memory_bytes, w->spool_dir);
    }
    if (x->proto.ops != &protocols[c->protocol]) {
        proto_init(&x->proto, c->protocol);
        proto_reset(&x->proto, &w->limits, &x->arena);
    }
    x->conn = c;
    return x;
}

static void free_exchange(struct exchange *x)
{
    http_body_done(&x->body);
    arena_done(&x->arena);
    buf_done(&x->in);
    buf_done(&x->out);
    free(x);
}

static void give_back_memory(struct exchange *x)
{
    if (x->in.capacity > KEPT_BUF_BYTES)
        buf_done(&x->in);
    if (x->out.capacity > KEPT_BUF_BYTES)
        buf_done(&x->out);
    if (x->body.memory_capacity > KEPT_BUF_BYTES)
        http_body_done(&x->body);
}

void exchange_next(struct worker *w, struct exchange *x)
{
    http_body_reset(&x->body);
    arena_reset(&x->arena);
    proto_reset(&x->proto, &w->limits, &x->arena);
    x->ready_us = 0;
    x->untouched = true;
}

void exchange_end(struct worker *w, struct exchange *x)
{
    drop_file(x);
    if (w->n_spare_exchanges == MAX_SPARE) {
        free_exchange(x);
        return;
    }
    buf_consume(&x->in, buf_len(&x->in));
    buf_consume(&x->out, buf_len(&x->out));
    if (!x->untouched)
        exchange_next(w, x);
    give_back_memory(x);
    x->conn = NULL;
    list_append(&w->spare_exchanges, &x->link);
    w->n_spare_exchanges++;
}

int exchange_put_error(struct exchange *x, int status, const struct liege_field *extra)
{
    size_t before = buf_len(&x->out);
    int r = http_head_error(&x->out, x->proto.ops->style, status, extra, x->proto.facts.is_head,
                            worker_date());

    return r < 0 ? r : proto_wrap(&x->proto, &x->out, before, true);
}

/* Sending */

/* Sends a part of the file, then the other connections have their turn. */
static int send_file(struct exchange *x)
{
    size_t len = (size_t)MIN(x->file.left, (uint64_t)FILE_TURN_BYTES);
    ssize_t n = conn_io_send_file(x->conn, x->file.fd, x->file.offset, len);

    if (n < 0)
        return n == -EAGAIN ? 0 : (int)n;
    x->file.offset += (uint64_t)n;
    x->file.left -= (uint64_t)n;
    if (x->file.left == 0)
        drop_file(x);
    return 0;
}

int exchange_send(struct exchange *x, const struct iovec *iov, size_t n_iov)
{
    struct iovec all[5];
    size_t n_all = 0, waiting = buf_len(&x->out), sent = 0;

    assert(n_iov < COUNT_OF(all) && x->file.fd < 0);
    if (waiting > 0)
        all[n_all++] = (struct iovec){.iov_base = buf_at(&x->out), .iov_len = waiting};
    for (size_t i = 0; i < n_iov; i++)
        if (iov[i].iov_len > 0)
            all[n_all++] = iov[i];
    if (n_all == 0)
        return 0;

    ssize_t n = conn_io_write(x->conn, all, n_all);
    if (n < 0 && n != -EAGAIN)
        return (int)n;
    sent = n > 0 ? (size_t)n : 0;

    size_t of_out = MIN(sent, waiting);
    buf_consume(&x->out, of_out);
    sent -= of_out;
    for (size_t i = 0; i < n_iov; i++) {
        size_t skip = MIN(sent, iov[i].iov_len);
        sent -= skip;
        int r = buf_append(&x->out, (const char *)iov[i].iov_base + skip, iov[i].iov_len - skip);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Sends what waits, as far as there is room. Returns 0 or a negative errno. */
int exchange_flush(struct exchange *x)
{
    while (buf_len(&x->out) > 0) {
        const struct iovec iov = {.iov_base = buf_at(&x->out), .iov_len = buf_len(&x->out)};
        ssize_t n = conn_io_write(x->conn, &iov, 1);
        if (n < 0)
            return n == -EAGAIN ? 0 : (int)n;
        buf_consume(&x->out, (size_t)n);
    }
    return x->file.fd >= 0 ? send_file(x) : 0;
}

int exchange_send_file(struct exchange *x, int fd, uint64_t offset, uint64_t len)
{
    assert(x->file.fd < 0);

    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (copy < 0)
        return -errno;
    x->file = (struct exchange_file){.fd = copy, .offset = offset, .left = len};
    return exchange_flush(x);
}

bool exchange_all_sent(const struct exchange *x)
{
    return buf_len(&x->out) == 0 && x->file.fd < 0;
}

bool exchange_progresses(struct exchange *x)
{
    int before = x->queued;

    if (ioctl(x->conn->io.fd, SIOCOUTQ, &x->queued) < 0)
        x->queued = 0;
    return x->queued < before;
}

/* Waits for room, for as long as socket-timeout; the interpreters run other threads meanwhile. */
static int wait_for_room(const struct exchange *x)
{
    const struct worker *w = x->conn->worker;
    struct pollfd p = {.fd = x->conn->io.fd, .events = (short)conn_io_events(x->conn, true)};
    struct crew_member *self = crew_self();

    assert(!self || self->calling);
    if (self)
        crew_leave_interpreters(self);
    else
        apps_wait_begin(w->start->apps); /* a thread of the application's own */
    int n = poll(&p, 1, (int)(w->conf->socket_timeout_us / US_PER_MS));
    int r = n < 0 ? -errno : n;
    if (self)
        crew_enter_interpreters(self);
    else
        apps_wait_end(w->start->apps);
    return r;
}

static int wait_sent(struct exchange *x, size_t max)
{
    (void)exchange_progresses(x); /* from now on */
    while (buf_len(&x->out) > max || x->file.fd >= 0) {
        int n = wait_for_room(x);
        if (n == 0 && !exchange_progresses(x))
            return -ETIMEDOUT;
        if (n < 0 && n != -EINTR)
            return n;
        int r = exchange_flush(x);
        if (r < 0)
            return r;
        (void)exchange_progresses(x); /* from here on */
    }
    return 0;
}

int exchange_wait_sent(struct exchange *x, size_t max)
{
    const struct crew_member *self = crew_self();
    unsigned helps = self && self->calling == x ? 0 : 1;

    atomic_fetch_add(&x->n_helpers, helps);
    int r = wait_sent(x, max);
    atomic_fetch_sub(&x->n_helpers, helps);
    return r;
}

bool exchange_interrupt_helpers(struct exchange *x)
{
    if (atomic_load(&x->n_helpers) == 0)
        return false;
    (void)shutdown(x->conn->io.fd, SHUT_RDWR);
    return true;
}
