/* SPDX-License-Identifier: MIT */
/* No parser and no connection takes part: the request is put together here, and of the answer only
 * the status is looked at. */
#include "worker/warmup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "http/text.h"
#include "worker/warmup-url.h"

struct trial {
    struct liege_request req;
    int status; /* 0: none yet */
    bool started;
};

static struct trial *trial_of(const struct liege_request *req)
{
    return container_of(req, struct trial, req);
}

/* The answer (struct liege_respond) */

static int take_head(struct liege_request *req, const struct liege_head *head)
{
    struct trial *t = trial_of(req);

    if (t->started)
        return -EALREADY;
    t->status = head->status;
    return 0;
}

static int take_bytes(struct liege_request *req, const void *data, size_t len)
{
    (void)data;
    (void)len;
    trial_of(req)->started = true;
    return 0;
}

static int take_file(struct liege_request *req, int fd, uint64_t offset, uint64_t len)
{
    (void)fd;
    (void)offset;
    return take_bytes(req, NULL, len);
}

static void fail(struct liege_request *req)
{
    trial_of(req)->status = 500;
}

static bool has_started(const struct liege_request *req)
{
    return trial_of(req)->started;
}

static const struct liege_respond respond = {
    .start = take_head,
    .write = take_bytes,
    .file = take_file,
    .end = take_bytes,
    .fail = fail,
    .started = has_started,
};

/* The request's body (struct liege_body): there is none */

static ssize_t read_nothing(struct liege_request *req, void *buf, size_t len)
{
    (void)req;
    (void)buf;
    (void)len;
    return 0;
}

static ssize_t read_no_line(struct liege_request *req, size_t max, const char **ret_data)
{
    (void)req;
    (void)max;
    *ret_data = "";
    return 0;
}

static int seek_nowhere(struct liege_request *req, uint64_t position)
{
    (void)req;
    return position == 0 ? 0 : -EINVAL;
}

static uint64_t tell_nothing(const struct liege_request *req)
{
    (void)req;
    return 0;
}

static const struct liege_body body = {
    .read = read_nothing,
    .read_line = read_no_line,
    .seek = seek_nowhere,
    .tell = tell_nothing,
};

/* The request */

static struct liege_str str_of(const char *text)
{
    return http_str(text, strlen(text));
}

static struct liege_str host_of(const struct http_target *target)
{
    return target->authority.len > 0 ? target->authority : str_of("localhost");
}

/* Fills in all but the fields and the application. @path has room for that of @url. */
static void fill(struct liege_request *req, const struct warmup_url *url, char *path)
{
    const struct http_target *target = &url->target;

    *req = (struct liege_request){
        .method = str_of("GET"),
        .target = str_of(target->path.data), /* to the end of the URL */
        .path = {path, http_path_decode(target->path, path)},
        .query = target->query,
        .protocol = str_of("HTTP/1.1"),
        .scheme = str_of(url->https ? "https" : "http"),
        .remote_addr = str_of("127.0.0.1"),
        .remote_port = str_of("0"),
    };
    http_host_split(host_of(target), &req->server_name, &req->server_port);
    if (req->server_port.len == 0)
        req->server_port = str_of(url->https ? "443" : "80");
}

static void call(struct trial *t, const struct app_mount *m, struct liege_host *host)
{
    const struct liege_host before = *host;
    struct liege_request *req = &t->req;

    req->script_name = http_str(m->prefix, m->prefix_len);
    req->path.data += m->prefix_len;
    req->path.len -= m->prefix_len;
    req->app = m->app;
    host->respond = &respond;
    host->body = &body;
    const pid_t pid = getpid();
    m->plugin->call(req);
    *host = before;
    if (getpid() == pid)
        return;
    log_warning("%.*s: a process that the application forked there came back: it is ended",
                (int)req->target.len, req->target.data);
    _exit(EXIT_FAILURE);
}

int warmup_run(const char *text, const struct apps *apps, struct liege_host *host,
               struct errmsg *err)
{
    struct warmup_url url;
    struct trial t = {.status = 0};
    const char *why = "";

    int r = warmup_url_parse(text, &url, &why);
    if (r < 0)
        return errmsg_set(err, r, "warmup = %s: %s", text, why);
    _cleanup_free_ char *path = malloc(strlen(text) + 1);
    if (!path)
        return errmsg_set(err, -ENOMEM, "out of memory");
    fill(&t.req, &url, path);
    const struct liege_field fields[] = {
        {str_of("Host"), host_of(&url.target), LIEGE_FIELD_HOST},
        {str_of("User-Agent"), str_of("liege warmup"), LIEGE_FIELD_USER_AGENT},
        {str_of("Accept"), str_of("*/*"), LIEGE_FIELD_ACCEPT},
    };
    t.req.fields = fields;
    t.req.n_fields = COUNT_OF(fields);

    const struct app_mount *m = apps_route(apps, t.req.path.data, t.req.path.len);
    if (!m)
        return errmsg_set(err, -ENOENT, "warmup = %s: no application is mounted there", text);
    call(&t, m, host);
    if (t.status >= 200 && t.status <= 399)
        return 0;
    if (t.status == 0)
        return errmsg_set(err, -EBADMSG, "warmup = %s: the application did not answer", text);
    return errmsg_set(err, -EBADMSG, "warmup = %s: the application answered %d%s", text, t.status,
                      t.status == 500 ? "; the log says why" : "");
}
