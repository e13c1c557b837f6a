/* SPDX-License-Identifier: MIT */
/* The access log. Lines are gathered while the loop calls back and written in one piece before it
 * waits again, so that logging costs a system call a round and not one a request. A piece is never
 * longer than PIPE_BUF: it stays whole when several workers write to one pipe. */
#include "worker/access-log.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"

#define FIELD_MAX_BYTES 512 /* of a client's text in a line; longer ones are cut */

static void on_task(struct loop_task *t)
{
    access_log_flush(container_of(t, struct access_log, task));
}

int access_log_init(struct access_log *l, struct loop *loop, const struct worker_conf *conf,
                    struct errmsg *err)
{
    *l = (struct access_log){.loop = loop, .second = -1};
    loop_task_init(&l->task, on_task);
    if (conf->disable_logging)
        return 0;
    l->style = conf->json_log ? ACCESS_JSON : conf->log_format ? ACCESS_FORMAT : ACCESS_PLAIN;
    return l->style == ACCESS_FORMAT ? log_format_parse(conf->log_format, &l->format, err) : 0;
}

void access_log_done(struct access_log *l)
{
    loop_task_cancel(&l->task);
    log_format_done(&l->format);
    buf_done(&l->lines);
}

void access_log_flush(struct access_log *l)
{
    if (buf_len(&l->lines) > 0)
        log_write(buf_at(&l->lines), buf_len(&l->lines));
    buf_consume(&l->lines, buf_len(&l->lines));
}

static void update_stamp(struct access_log *l)
{
    time_t now = time(NULL);
    struct tm tm = {0};

    if (now == l->second)
        return;
    l->second = now;
    (void)localtime_r(&now, &tm);
    (void)strftime(l->stamp, sizeof(l->stamp), "%Y-%m-%d %H:%M:%S", &tm);
}

static int add_plain(struct access_log *l, const struct access_entry *e)
{
    const struct liege_request *req = e->req;
    const struct liege_str nobody = {.data = "-", .len = 1};
    const struct liege_str addr = req->remote_addr.len > 0 ? req->remote_addr : nobody;

    update_stamp(l);
    int r = buf_printf(&l->lines, "%s %s %.*s \"", l->stamp, *e->name ? e->name : "-",
                       (int)addr.len, addr.data);
    if (r == 0)
        r = log_format_escape(req->method, FIELD_MAX_BYTES, &l->lines);
    if (r == 0)
        r = buf_append(&l->lines, " ", 1);
    if (r == 0)
        r = log_format_escape(req->target, FIELD_MAX_BYTES, &l->lines);
    if (r == 0)
        r = buf_printf(&l->lines, " %.*s\" %d %" PRIu64 " %" PRIu64 ".%03ums",
                       (int)req->protocol.len, req->protocol.data, e->status, e->bytes,
                       (uint64_t)(e->duration_us / US_PER_MS),
                       (unsigned)(e->duration_us % US_PER_MS));
    return r;
}

static int add(struct access_log *l, const struct access_entry *e)
{
    switch (l->style) {
    case ACCESS_FORMAT:
        return log_format_write(&l->format, e, &l->lines);
    case ACCESS_JSON:
        return log_format_json(e, &l->lines);
    default:
        return add_plain(l, e);
    }
}

static uint64_t since_1970_us(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * US_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

void access_log_add(struct access_log *l, struct access_entry *e)
{
    size_t before = buf_len(&l->lines);

    if (l->style > ACCESS_PLAIN)
        e->began_us = since_1970_us() - e->duration_us;
    int r = add(l, e);
    if (r == 0)
        r = buf_append(&l->lines, "\n", 1);
    if (r < 0) {
        l->lines.end = l->lines.start + before; /* not a part of a line */
        return;
    }
    if (buf_len(&l->lines) <= PIPE_BUF) {
        loop_task_queue(l->loop, &l->task);
        return;
    }
    /* What was there goes first, so that a packet is never longer than it must be. */
    if (before > 0) {
        log_write(buf_at(&l->lines), before);
        buf_consume(&l->lines, before);
    }
    if (buf_len(&l->lines) > PIPE_BUF)
        access_log_flush(l);
    else
        loop_task_queue(l->loop, &l->task);
}
