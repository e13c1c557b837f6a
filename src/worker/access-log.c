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
#include <unistd.h>

#include "base/clock.h"

#define FIELD_MAX_BYTES 512 /* of a client's text in a line; longer ones are cut */

static void on_task(struct loop_task *t)
{
    access_log_flush(container_of(t, struct access_log, task));
}

void access_log_init(struct access_log *l, struct loop *loop, const char *name, bool enabled)
{
    *l = (struct access_log){.enabled = enabled, .name = name, .loop = loop, .second = -1};
    loop_task_init(&l->task, on_task);
}

void access_log_flush(struct access_log *l)
{
    if (buf_len(&l->lines) > 0)
        (void)!write(STDERR_FILENO, buf_at(&l->lines), buf_len(&l->lines)); /* no other place */
    buf_consume(&l->lines, buf_len(&l->lines));
}

/* Copies a client's text so that it can neither end the line nor the quotes. */
static size_t escape(char *out, struct liege_str text)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = 0;

    for (size_t i = 0; i < text.len && n < FIELD_MAX_BYTES; i++) {
        unsigned char c = (unsigned char)text.data[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            out[n++] = (char)c;
            continue;
        }
        out[n++] = '\\';
        out[n++] = 'x';
        out[n++] = hex[c >> 4];
        out[n++] = hex[c & 0xf];
    }
    return n;
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

void access_log_add(struct access_log *l, const struct access_entry *e)
{
    char method[FIELD_MAX_BYTES + 4], target[FIELD_MAX_BYTES + 4];
    char line[2 * FIELD_MAX_BYTES + 512];
    const struct liege_request *req = e->req;

    if (!l->enabled)
        return;
    update_stamp(l);
    size_t n_method = escape(method, req->method);
    size_t n_target = escape(target, req->target);
    int n = snprintf(
        line, sizeof(line), "%s %s %.*s \"%.*s %.*s %.*s\" %d %" PRIu64 " %" PRIu64 ".%03ums\n",
        l->stamp, *l->name ? l->name : "-",
        req->remote_addr.len > 0 ? (int)req->remote_addr.len : 1,
        req->remote_addr.len > 0 ? req->remote_addr.data : "-", (int)n_method, method,
        (int)n_target, target, (int)req->protocol.len, req->protocol.data, e->status, e->bytes,
        (uint64_t)(e->duration_us / US_PER_MS), (unsigned)(e->duration_us % US_PER_MS));
    size_t len = MIN((size_t)MAX(n, 1), sizeof(line) - 1);
    line[len - 1] = '\n'; /* also of a line that was cut */
    if (buf_len(&l->lines) + len > PIPE_BUF)
        access_log_flush(l);
    if (buf_append(&l->lines, line, len) == 0)
        loop_task_queue(l->loop, &l->task);
}
