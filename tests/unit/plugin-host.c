/* SPDX-License-Identifier: MIT */

/* The host of the plugins' unit tests: struct liege_host, struct liege_respond and struct
 * liege_body over memory. See plugin-host.h. Linked into the tests of each language plugin. */

#include "plugin-host.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static char log_text[65536];
static size_t log_len;

static void append_log(const char *text, size_t len)
{
    if (len > sizeof(log_text) - 1 - log_len)
        len = sizeof(log_text) - 1 - log_len;
    memcpy(log_text + log_len, text, len);
    log_len += len;
    log_text[log_len] = '\0';
}

static void host_log(enum liege_log_level level, const char *text, size_t len)
{
    while (len > 0) {
        const char *newline = memchr(text, '\n', len);
        size_t line = newline ? (size_t)(newline - text) : len;
        char head[8] = "";

        (void)snprintf(head, sizeof(head), "%d ", (int)level);
        append_log(head, strlen(head));
        append_log(text, line);
        append_log("\n", 1);
        text += newline ? line + 1 : line;
        len -= newline ? line + 1 : line;
    }
}

const char *plugin_host_log(void)
{
    return log_text;
}

void plugin_host_clear_log(void)
{
    log_len = 0;
    log_text[0] = '\0';
}

static struct exchange *exchange_of(struct liege_request *req)
{
    return (struct exchange *)req;
}

static bool is_sendable(const struct liege_str *s)
{
    for (size_t i = 0; i < s->len; i++)
        if ((unsigned char)s->data[i] < ' ' && s->data[i] != '\t')
            return false;
    return true;
}

static int add_answer_field(struct exchange *x, const struct liege_field *f)
{
    size_t used = strlen(x->head);
    int n;

    if (!is_sendable(&f->name) || !is_sendable(&f->value) || f->name.len == 0)
        return -EINVAL;
    n = snprintf(x->head + used, sizeof(x->head) - used, "%.*s: %.*s\n", (int)f->name.len,
                 f->name.data, (int)f->value.len, f->value.data);
    assert(n > 0 && (size_t)n < sizeof(x->head) - used);
    if (f->name.len == 14 && strncasecmp(f->name.data, "content-length", 14) == 0)
        x->limit = strtoul(f->value.data, NULL, 10);
    return 0;
}

static int respond_start(struct liege_request *req, const struct liege_head *head)
{
    struct exchange *x = exchange_of(req), before = *x;

    assert(!x->ended && !x->failed && x->answer_len == 0);
    assert(head->status >= 200 && head->status <= 599);
    x->n_starts++;
    x->head[0] = '\0';
    x->limit = SIZE_MAX;
    for (size_t i = 0; i < head->n_fields; i++) {
        if (add_answer_field(x, &head->fields[i]) < 0) {
            *x = before;
            host_log(LIEGE_LOG_ERROR, "a field that cannot be sent", 27);
            return -EINVAL;
        }
    }
    x->status = head->status;
    (void)snprintf(x->reason, sizeof(x->reason), "%.*s", (int)head->reason.len,
                   head->reason.len > 0 ? head->reason.data : "");
    return 0;
}

/* Takes bytes of the answer. */
static int take(struct exchange *x, const void *data, size_t len)
{
    size_t space = x->limit - x->answer_len;
    bool is_too_long = len > space;
    char *grown;

    assert(x->status != 0 && !x->failed);
    if (x->answer_len + len > x->break_after)
        return -EPIPE;
    if (is_too_long)
        len = space;
    grown = realloc(x->answer, x->answer_len + len + 1);
    assert(grown);
    x->answer = grown;
    if (len > 0)
        memcpy(x->answer + x->answer_len, data, len);
    x->answer_len += len;
    x->answer[x->answer_len] = '\0';
    return is_too_long ? -EOVERFLOW : 0;
}

static int respond_write(struct liege_request *req, const void *data, size_t len)
{
    struct exchange *x = exchange_of(req);

    assert(!x->ended);
    x->n_writes++;
    return take(x, data, len);
}

static int respond_file(struct liege_request *req, int fd, uint64_t offset, uint64_t len)
{
    struct exchange *x = exchange_of(req);
    char *data = malloc(len + 1);
    ssize_t n;
    int r;

    assert(!x->ended && data);
    n = pread(fd, data, len, (off_t)offset);
    assert(n == (ssize_t)len);
    x->n_files++;
    r = take(x, data, len);
    free(data);
    return r;
}

static int respond_end(struct liege_request *req, const void *data, size_t len)
{
    struct exchange *x = exchange_of(req);

    assert(!x->ended);
    x->ended = true;
    return take(x, data, len);
}

static void respond_fail(struct liege_request *req)
{
    struct exchange *x = exchange_of(req);

    assert(!x->failed);
    x->failed = true;
}

static bool respond_started(const struct liege_request *req)
{
    return ((const struct exchange *)req)->answer_len > 0;
}

static ssize_t body_read(struct liege_request *req, void *buf, size_t len)
{
    struct exchange *x = exchange_of(req);
    size_t left = req->body_length - x->position;

    if (len > left)
        len = left;
    if (len > 0)
        memcpy(buf, x->body + x->position, len);
    x->position += len;
    return (ssize_t)len;
}

static ssize_t body_read_line(struct liege_request *req, size_t max, const char **ret_data)
{
    struct exchange *x = exchange_of(req);
    const char *start = x->body + x->position, *newline;
    size_t len = req->body_length - x->position;

    if (len > max)
        len = max;
    newline = len > 0 ? memchr(start, '\n', len) : NULL;
    if (newline)
        len = (size_t)(newline - start) + 1;
    x->position += len;
    *ret_data = start;
    return (ssize_t)len;
}

static int body_seek(struct liege_request *req, uint64_t position)
{
    if (position > req->body_length)
        return -EINVAL;
    exchange_of(req)->position = position;
    return 0;
}

static uint64_t body_tell(const struct liege_request *req)
{
    return ((const struct exchange *)req)->position;
}

static int worker_id(void)
{
    return 3;
}

static int64_t master_pid(void)
{
    return 4711;
}

static int reload(void)
{
    host_log(LIEGE_LOG_INFO, "reload", 6);
    return 0;
}

static const struct liege_respond respond = {
    .start = respond_start,
    .write = respond_write,
    .file = respond_file,
    .end = respond_end,
    .fail = respond_fail,
    .started = respond_started,
};

static const struct liege_body body = {
    .read = body_read,
    .read_line = body_read_line,
    .seek = body_seek,
    .tell = body_tell,
};

static const struct liege_setting settings[] = {
    {"master", ""}, {"env", "A=1"}, {"env", "B=2"}, {"env", "C=3"}, {"processes", "2"},
};

struct liege_host *plugin_host(void)
{
    static struct liege_host host = {
        .size = sizeof(host),
        .version = "9.8.7",
        .name = "test",
        .settings = settings,
        .n_settings = sizeof(settings) / sizeof(settings[0]),
        .multiprocess = true,
        .n_workers = 2,
        .respond = &respond,
        .body = &body,
        .log = host_log,
        .worker_id = worker_id,
        .master_pid = master_pid,
        .reload = reload,
    };

    return &host;
}

const struct liege_plugin *plugin_host_open(void)
{
    const char *path = getenv("LIEGE_PLUGIN");
    const struct liege_plugin *plugin = NULL;
    void *object = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;

    if (object)
        plugin = dlsym(object, "liege_plugin");
    if (!plugin || plugin->abi != LIEGE_PLUGIN_ABI) {
        (void)fprintf(stderr, "LIEGE_PLUGIN=%s: %s\n", path ? path : "", dlerror());
        abort();
    }
    return plugin;
}

static struct liege_str str(const char *text)
{
    return (struct liege_str){.data = text, .len = strlen(text)};
}

void exchange_init(struct exchange *x, const char *method, const char *target)
{
    size_t path_len = strcspn(target, "?");

    *x = (struct exchange){.break_after = SIZE_MAX, .limit = SIZE_MAX};
    x->req = (struct liege_request){
        .method = str(method),
        .target = str(target),
        .script_name = str(""),
        .path = {.data = target, .len = path_len},
        .query = str(target[path_len] ? target + path_len + 1 : ""),
        .protocol = str("HTTP/1.1"),
        .scheme = str("http"),
        .server_name = str("localhost"),
        .server_port = str("8080"),
        .remote_addr = str("127.0.0.1"),
        .remote_port = str("54321"),
        .fields = x->fields,
    };
}

void exchange_add_field(struct exchange *x, enum liege_field_id id, const char *name,
                        const char *value)
{
    assert(x->req.n_fields < sizeof(x->fields) / sizeof(x->fields[0]));
    x->fields[x->req.n_fields++] =
        (struct liege_field){.id = id, .name = str(name), .value = str(value)};
}

void exchange_set_body(struct exchange *x, const char *data, size_t len)
{
    x->body = data;
    x->req.has_body = true;
    x->req.body_length = len;
}

void exchange_run(struct exchange *x, const struct liege_plugin *plugin, void *app)
{
    x->req.app = app;
    plugin->call(&x->req);
}

const char *exchange_field(const struct exchange *x, const char *name)
{
    static char value[1024];

    for (const char *line = x->head; *line; line = strchr(line, '\n') + 1) {
        size_t n = strlen(name);

        if (strncmp(line, name, n) != 0 || line[n] != ':')
            continue;
        (void)snprintf(value, sizeof(value), "%.*s", (int)strcspn(line + n + 2, "\n"),
                       line + n + 2);
        return value;
    }
    return NULL;
}

void exchange_done(struct exchange *x)
{
    free(x->answer);
    x->answer = NULL;
}
