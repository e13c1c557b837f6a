/* SPDX-License-Identifier: MIT */
/* What a vassal says: bytes on its pipe, messages on its status channel. Both only lead to facts in
 * the record and to events of the state machine. A vassal may belong to somebody we do not trust:
 * what it says is taken in small portions, cleaned before it is logged, and believed only about
 * itself. Used by vassal.c. */
#include "emperor/vassal-talk.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "emperor/succession.h"
#include "emperor/vassal-base.h"
#include "emperor/vassal-config.h"
#include "emperor/vassal-files.h"
#include "emperor/vassal.h"
#include "ipc/bytes.h"
#include "ipc/status.h"

#define READ_BYTES 64

/* A process that ends closes its pipe a moment before it can be reaped. */
#define CLOSED_GRACE_US (100 * US_PER_MS)

static void on_ready(struct vassal *v)
{
    uint64_t now = clock_now_us();

    v->last_ready = time(NULL);
    if (v->life.ready_mono_us == 0)
        v->life.ready_mono_us = now;
    if (v->state == VASSAL_RELOADING) /* the new generation may have been told to send none */
        loop_timer_clear(v->realm->loop, &v->heart);
    vassal_handle(v, VASSAL_SAID_READY, "it serves after %.2f s",
                  (double)(now - v->life.asked_mono_us) / US_PER_SEC);
    succession_follow(v);
}

/* Who counts its generations has said so on the status channel before: if this were taken for news,
 * one that is told to reload between the two would seem to have done it. */
static void on_ready_byte(struct vassal *v)
{
    if (v->life.generation == 0)
        on_ready(v);
}

static void on_accepting(struct vassal *v)
{
    v->life.accepting = true;
    v->last_accepting = time(NULL);
    vassal_handle(v, VASSAL_SAID_ACCEPTING, "it accepts connections");
}

static void on_loyal(struct vassal *v)
{
    v->life.loyal = true;
    v->last_loyal = time(NULL);
    v->delay_us = 0;
    v->n_early = 0;
    vassal_handle(v, VASSAL_SAID_LOYAL, "it has answered a request");
}

static void on_stop(struct vassal *v)
{
    vassal_handle(v, VASSAL_ASKED_TO_STOP, "it asked to be stopped");
}

static void on_sos(struct vassal *v)
{
    v->realm->on_sos(v->realm, v);
}

/* Bytes that are not here are ignored, as the protocol has it. */
/* clang-format off */
static void (*const byte_handlers[])(struct vassal *v) = {
    [VASSAL_BYTE_READY]     = on_ready_byte,
    [VASSAL_BYTE_CONFIG]    = vassal_config_send,
    [VASSAL_BYTE_ACCEPTING] = on_accepting,
    [VASSAL_BYTE_LOYAL]     = on_loyal,
    [VASSAL_BYTE_STOP]      = on_stop,
    [VASSAL_BYTE_HEARTBEAT] = vassal_beats,
    [VASSAL_BYTE_SOS]       = on_sos,
};
/* clang-format on */

static void close_pipe(struct vassal *v)
{
    if (v->pipe_io.fd < 0)
        return;
    loop_io_remove(v->realm->loop, &v->pipe_io);
    closep(&v->pipe_io.fd);
    v->pipe_io.fd = -1;
}

static void on_closed(struct loop_timer *t)
{
    vassal_handle(container_of(t, struct vassal, closed_timer), VASSAL_CLOSED_PIPE,
                  "it closed its pipe, so it has to end");
}

static void on_pipe(struct loop_io *io, uint32_t events)
{
    struct vassal *v = container_of(io, struct vassal, pipe_io);
    uint8_t bytes[READ_BYTES];

    (void)events;
    ssize_t n = recv(io->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        close_pipe(v);
        loop_timer_set(v->realm->loop, &v->closed_timer, clock_now_us() + CLOSED_GRACE_US);
        return;
    }
    if (memchr(bytes, VASSAL_BYTE_READY, (size_t)n))
        channel_drain(&v->status); /* what it has said before */
    for (ssize_t i = 0; i < n; i++)
        if (bytes[i] < COUNT_OF(byte_handlers) && byte_handlers[bytes[i]])
            byte_handlers[bytes[i]](v);
}

/* The text of a message as one line without control characters. */
static const char *clean(const struct message *m, char *text, size_t size)
{
    size_t n = MIN(m->len, size - 1);

    memcpy(text, m->data, n);
    text[n] = '\0';
    n = strlen(text);
    while (n > 0 && isspace((unsigned char)text[n - 1]))
        text[--n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (iscntrl((unsigned char)text[i]))
            text[i] = ' ';
    return text;
}

/* Whose channel it is: by saying something it has shown that it can. */
static struct vassal *vassal_of(struct channel *c)
{
    struct vassal *v = container_of(c, struct vassal, status);

    vassal_speaks(v);
    return v;
}

static int on_status_state(struct channel *c, struct message *m)
{
    struct vassal *v = vassal_of(c);

    (void)clean(m, v->reason, sizeof(v->reason));
    return 0;
}

static int on_status_ready(struct channel *c, struct message *m)
{
    struct vassal *v = vassal_of(c);

    v->life.generation = m->value;
    on_ready(v);
    return 0;
}

static int on_status_failed(struct channel *c, struct message *m)
{
    struct vassal *v = vassal_of(c);
    char text[1024];

    (void)clean(m, text, sizeof(text));
    if (!v->life.complaint[0] && log_limit_allows(&v->complaints, clock_now_us()))
        log_error("vassal %s: cannot start: %s", v->id, text);
    (void)clean(m, v->life.complaint, sizeof(v->life.complaint));
    return 0;
}

static int on_status_kept(struct channel *c, struct message *m)
{
    struct vassal *v = vassal_of(c);
    char text[1024];

    (void)clean(m, text, sizeof(text));
    v->life.generation = m->value;
    v->life.kept = true;
    if (log_limit_allows(&v->complaints, clock_now_us()))
        log_warning("vassal %s: reload failed: %s; the old generation goes on serving", v->id,
                    text);
    vassal_handle(v, VASSAL_SAID_KEPT, "reload failed: %s", text);
    return 0;
}

static int on_status_file(struct channel *c, struct message *m)
{
    struct vassal *v = vassal_of(c);

    if (memchr(m->data, '\0', m->len) == NULL)
        vassal_reads(v, m->data);
    return 0;
}

static int on_status_workers(struct channel *c, struct message *m)
{
    vassal_of(c)->life.workers = m->value;
    return 0;
}

static int on_status_base(struct channel *c, struct message *m)
{
    struct vassal *v = vassal_of(c);

    if (memchr(m->data, '\0', m->len) == NULL)
        vassal_base_offer(v, m->data, m->value);
    return 0;
}

/* clang-format off */
static const struct channel_rule status_rules[] = {
    [STATUS_STATE]   = { .handler = on_status_state },
    [STATUS_READY]   = { .handler = on_status_ready },
    [STATUS_FAILED]  = { .handler = on_status_failed },
    [STATUS_KEPT]    = { .handler = on_status_kept },
    [STATUS_FILE]    = { .handler = on_status_file },
    [STATUS_WORKERS] = { .handler = on_status_workers },
    [STATUS_BASE]    = { .handler = on_status_base },
};
/* clang-format on */

/* The vassal works without its status channel; only what it does not understand is worth a word. */
static void on_status_closed(struct channel *c, int error)
{
    if (error < 0)
        (void)log_errno(LOG_WARNING, error, "vassal %s: its status channel is closed",
                        container_of(c, struct vassal, status)->id);
}

int vassal_talk_open(struct vassal *v, int pipe_fd, int status_fd)
{
    struct loop *l = v->realm->loop;

    v->closed_timer.fn = on_closed;
    v->pipe_io = (struct loop_io){.fd = pipe_fd, .fn = on_pipe};
    int r = status_fd < 0 ? 0
                          : channel_open(&v->status, l, status_fd, status_rules,
                                         COUNT_OF(status_rules), on_status_closed);
    if (r == 0 && pipe_fd >= 0)
        r = loop_io_add(l, &v->pipe_io, EPOLLIN);
    if (pipe_fd < 0) /* closed before an upgrade, perhaps just before */
        loop_timer_set(l, &v->closed_timer, clock_now_us() + CLOSED_GRACE_US);
    if (r < 0)
        vassal_talk_close(v);
    return r;
}

void vassal_talk_close(struct vassal *v)
{
    loop_timer_clear(v->realm->loop, &v->closed_timer);
    close_pipe(v);
    channel_close(&v->status);
}

void vassal_talk_take(struct vassal *v, int *ret_pipe_fd, int *ret_status_fd)
{
    loop_timer_clear(v->realm->loop, &v->closed_timer);
    if (v->pipe_io.fd >= 0)
        loop_io_remove(v->realm->loop, &v->pipe_io);
    *ret_pipe_fd = TAKE(v->pipe_io.fd, -1);
    *ret_status_fd = channel_take(&v->status);
}

void vassal_talk_drain(struct vassal *v)
{
    channel_drain(&v->status);
    if (v->pipe_io.fd >= 0)
        on_pipe(&v->pipe_io, EPOLLIN);
}

int vassal_talk_send(struct vassal *v, uint8_t byte)
{
    if (v->pipe_io.fd < 0)
        return -EPIPE;
    return send(v->pipe_io.fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}
