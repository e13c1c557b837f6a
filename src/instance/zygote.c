/* SPDX-License-Identifier: MIT */
/* The master's side of the zygote: its birth, its messages, its death. A zygote that dies while its
 * generation serves is replaced, and no worker suffers: it is needed only to replace them. */
#include "instance/zygote.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "instance/generation.h"
#include "ipc/family.h"

/* Between the death of a zygote and the next one; doubled with each in a row, up to 32 s. */
#define RESTART_US US_PER_SEC

static int on_loaded(struct channel *c, struct message *m)
{
    struct zygote *z = container_of(c, struct zygote, channel);

    (void)m;
    z->loaded = true;
    z->n_failures = 0;
    loop_timer_clear(generation_loop(z->generation), &z->timer);
    generation_on_loaded(z->generation, z);
    return 0;
}

static void set_cause(struct zygote *z, const char *text)
{
    if (z->cause[0] == '\0')
        (void)snprintf(z->cause, sizeof(z->cause), "%s", text);
}

static int on_load_failed(struct channel *c, struct message *m)
{
    struct zygote *z = container_of(c, struct zygote, channel);

    z->refused = true;
    set_cause(z, m->data);
    return 0; /* its end follows */
}

static int on_fork_failed(struct channel *c, struct message *m)
{
    struct zygote *z = container_of(c, struct zygote, channel);

    generation_on_fork_failed(z->generation, (int)m->value, m->data);
    return 0;
}

/* Of a copy of a worker, which is not our own child from the beginning. */
static int on_hello(struct channel *c, struct message *m)
{
    struct zygote *z = container_of(c, struct zygote, channel);

    if (z->child.proc.pid != 0)
        return -EPROTO;
    int r = proc_adopt(m->sender, &z->child.proc);
    return r < 0 ? r : loop_child_watch(generation_loop(z->generation), &z->child);
}

static int on_sources(struct channel *c, struct message *m)
{
    generation_on_sources(container_of(c, struct zygote, channel)->generation, m->data);
    return 0;
}

/* clang-format off */
static const struct channel_rule rules[FAMILY_TYPE_COUNT] = {
    [FAMILY_HELLO]       = { .handler = on_hello },
    [FAMILY_SOURCES]     = { .handler = on_sources },
    [FAMILY_LOADED]      = { .handler = on_loaded },
    [FAMILY_LOAD_FAILED] = { .handler = on_load_failed },
    [FAMILY_FORK_FAILED] = { .handler = on_fork_failed },
};
/* clang-format on */

/* It is not there any more, nor will it be. */
static void give_up(struct zygote *z, const char *why)
{
    set_cause(z, why);
    z->ended = true;
    loop_timer_clear(generation_loop(z->generation), &z->timer);
    generation_on_zygote_ended(z->generation, z);
}

static void on_channel_closed(struct channel *c, int error)
{
    struct zygote *z = container_of(c, struct zygote, channel);

    (void)error;
    if (z->child.proc.pid != 0)
        (void)proc_signal(&z->child.proc, SIGKILL); /* of no use any more; its end is seen below */
    else
        give_up(z, "the worker that was to be its model has ended");
}

static void set_restart(struct zygote *z)
{
    struct loop *loop = generation_loop(z->generation);
    uint64_t wait_us = RESTART_US << MIN(z->n_failures, 5U);

    z->n_failures++;
    loop_timer_set(loop, &z->timer, loop_now_us(loop) + wait_us);
}

static void on_end(struct loop_child *child, const siginfo_t *end)
{
    struct zygote *z = container_of(child, struct zygote, child);
    char text[96];

    channel_drain(&z->channel); /* its last words say why */
    channel_close(&z->channel);
    z->loaded = false;
    const char *why = proc_describe_end(end, text, sizeof(text));
    if (!z->wanted || z == z->generation->heir) {
        give_up(z, why);
        return;
    }
    set_cause(z, why);
    set_restart(z);
    generation_on_zygote_ended(z->generation, z);
}

/* Loading took too long, or it is time to start again. */
static void on_timer(struct loop_timer *t)
{
    struct zygote *z = container_of(t, struct zygote, timer);

    if (z == z->generation->heir && z->child.proc.pid == 0) {
        give_up(z, "the worker that was to be its model has not forked within start-timeout");
        return;
    }
    if (z->child.proc.pid != 0) {
        set_cause(z, "loading the application took longer than start-timeout");
        (void)proc_signal(&z->child.proc, SIGKILL);
        return;
    }
    int r = zygote_start(z);
    if (r < 0) {
        (void)log_errno(LOG_ERR, r, "cannot start a zygote");
        set_restart(z);
    }
}

int zygote_new(struct generation *g, struct zygote **ret)
{
    struct zygote *z = malloc(sizeof(*z));

    if (!z)
        return -ENOMEM;
    *z = (struct zygote){.generation = g, .channel.io.fd = -1, .timer.fn = on_timer};
    loop_child_init(&z->child, on_end);
    *ret = z;
    return 0;
}

void zygote_stop(struct zygote *z)
{
    z->wanted = false;
    z->loaded = false;
    loop_timer_clear(generation_loop(z->generation), &z->timer);
    channel_close(&z->channel);
    (void)proc_signal(&z->child.proc, SIGKILL); /* it serves nobody */
}

static void forget(struct zygote *z)
{
    zygote_stop(z);
    loop_child_done(&z->child);
}

int zygote_start(struct zygote *z)
{
    struct generation *g = z->generation;
    struct loop *loop = generation_loop(g);
    int fds[2];

    int r = message_socketpair(fds);
    if (r < 0)
        return r;
    _cleanup_close_ int output_fd = generation_capture(g, "zygote");
    r = proc_fork(&z->child.proc);
    if (r == 0) {
        const struct child_start start = generation_child_start(g, 0, fds[1], output_fd);
        zygote_main(&start);
    }
    (void)close(fds[1]);
    if (r < 0) {
        (void)close(fds[0]);
        return r;
    }
    z->wanted = true;
    z->model = 0;
    z->cause[0] = '\0';
    r = channel_open(&z->channel, loop, fds[0], rules, COUNT_OF(rules), on_channel_closed);
    if (r == 0)
        r = loop_child_watch(loop, &z->child);
    if (r < 0) {
        forget(z);
        return r;
    }
    loop_timer_set(loop, &z->timer, loop_now_us(loop) + generation_start_timeout_us(g));
    return 0;
}

int zygote_promote(struct zygote *z, const struct slot *worker)
{
    struct loop *loop = generation_loop(z->generation);
    int fds[2];

    int r = message_socketpair(fds);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = fds[1];
    _cleanup_close_ int output_fd = generation_capture(z->generation, "zygote");
    const struct message m = {
        .type = FAMILY_PROMOTE,
        .value = output_fd >= 0,
        .fds = {fd, output_fd >= 0 ? output_fd : fd},
        .n_fds = 2,
    };

    z->wanted = true;
    z->model = worker->id;
    r = channel_open(&z->channel, loop, fds[0], rules, COUNT_OF(rules), on_channel_closed);
    if (r == 0)
        r = message_send(worker->channel.io.fd, &m);
    if (r == 0)
        loop_timer_set(loop, &z->timer,
                       loop_now_us(loop) + generation_start_timeout_us(z->generation));
    return r;
}

static int send_order(struct zygote *z, const struct message *m)
{
    if (!z->loaded)
        return -ESRCH;
    int r = message_send(z->channel.io.fd, m);
    return r == -EAGAIN ? -EBUSY : r;
}

int zygote_fork(struct zygote *z, int id, int fd, int output_fd)
{
    const struct message m = {
        .type = FAMILY_FORK,
        .value = (uint32_t)id,
        .fds = {fd, output_fd},
        .n_fds = output_fd < 0 ? 1 : 2,
    };

    return send_order(z, &m);
}

int zygote_adopt(struct zygote *z, int fd)
{
    const struct message m = {.type = FAMILY_ADOPT, .fds = {fd}, .n_fds = 1};

    return send_order(z, &m);
}

void zygote_kill(struct zygote *z)
{
    z->loaded = false;                          /* takes no more orders */
    (void)proc_signal(&z->child.proc, SIGKILL); /* its end is seen by on_end() */
}

struct zygote *zygote_free(struct zygote *z)
{
    if (z)
        forget(z);
    free(z);
    return NULL;
}
