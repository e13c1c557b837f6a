/* SPDX-License-Identifier: MIT */
/* A table of texts. What is put is told at once; what was there before an upgrade is told when the
 * monitor is started: a vassal that is due in the first round of the loop has its configuration.
 * Owned by emperor.c; control-given.c puts and removes. */
#include "emperor/monitor-given.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "ipc/config-pipe.h"

struct given {
    struct monitor_item item;
    char *name, *path, *text, *socket; /* the item's */
};

struct given_monitor {
    struct monitor monitor;
    const struct emperor_conf *conf;
    struct hash items; /* name -> struct given */
};

static struct given_monitor *of(const struct monitor *m)
{
    return container_of(m, struct given_monitor, monitor);
}

static void given_free(struct given *g)
{
    free(g->name);
    free(g->path);
    free(g->text);
    free(g->socket);
    free(g);
}

static void tell(struct given_monitor *gm, struct given *g, enum monitor_event event)
{
    gm->monitor.fn(gm->monitor.data, &gm->monitor, event, &g->item);
}

static struct given *given_new(const char *name)
{
    struct given *g = calloc(1, sizeof(*g));

    if (!g)
        return NULL;
    g->name = strdup(name);
    if (asprintf(&g->path, "given://%s", name) < 0)
        g->path = NULL;
    if (!g->name || !g->path) {
        given_free(g);
        return NULL;
    }
    g->item = (struct monitor_item){.name = g->name, .path = g->path};
    return g;
}

/* A version that no earlier one has. */
static void stamp(struct given *g)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
    uint64_t ns = (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
    g->item.stamp = (struct stamp){
        .mtime_ns = MAX(ns, g->item.stamp.mtime_ns + 1),
        .size = g->item.config_len,
        .uid = geteuid(),
        .gid = getegid(),
    };
}

static int set_text(struct given *g, const char *text, size_t len, const char *socket)
{
    char *copy = malloc(len + 1), *address = *socket ? strdup(socket) : NULL;

    if (!copy || (*socket && !address)) {
        free(copy);
        free(address);
        return -ENOMEM;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    free(g->text);
    free(g->socket);
    g->text = copy;
    g->socket = address;
    g->item.config = copy;
    g->item.config_len = len;
    g->item.socket = address;
    stamp(g);
    return 0;
}

/* The configuration @name, made if it is new. */
static int get(struct given_monitor *gm, const char *name, const char *text, size_t len,
               const char *socket, struct given **ret, bool *ret_new)
{
    struct given *g = hash_get(&gm->items, name);
    int r = 0;

    *ret_new = !g;
    if (!g)
        g = given_new(name);
    if (!g)
        return -ENOMEM;
    r = set_text(g, text, len, socket);
    if (r == 0 && *ret_new)
        r = hash_put(&gm->items, g->name, g);
    if (r < 0 && *ret_new)
        given_free(g);
    else
        *ret = g;
    return r;
}

int monitor_given_put(struct monitor *m, const char *name, const char *text, size_t len,
                      const char *socket, const struct monitor_item **ret, struct errmsg *err)
{
    struct given_monitor *gm = of(m);
    struct given *g = NULL;
    bool is_new = false;

    if (!monitor_accepts_name(gm->conf, name) || strchr(name, '/'))
        return errmsg_set(err, -EINVAL, "%s is no name of a configuration: app.ini is one", name);
    if (len > CONFIG_PIPE_MAX_BYTES)
        return errmsg_set(err, -EFBIG, "a configuration has at most %zu bytes",
                          (size_t)CONFIG_PIPE_MAX_BYTES);
    int r = get(gm, name, text, len, socket, &g, &is_new);
    if (r < 0)
        return errmsg_set_errno(err, r, "%s", name);
    tell(gm, g, is_new ? MONITOR_ADDED : MONITOR_CHANGED);
    *ret = &g->item;
    return 0;
}

int monitor_given_remove(struct monitor *m, const char *name)
{
    struct given_monitor *gm = of(m);
    struct given *g = hash_remove(&gm->items, name);

    if (!g)
        return -ENOENT;
    tell(gm, g, MONITOR_REMOVED);
    given_free(g);
    return 0;
}

static int start(struct monitor *m)
{
    struct given_monitor *gm = of(m);
    struct given *g = NULL;

    for (size_t pos = 0; (g = hash_next(&gm->items, &pos));)
        tell(gm, g, MONITOR_ADDED);
    gm->monitor.fn(gm->monitor.data, &gm->monitor, MONITOR_SETTLED, NULL);
    return 0;
}

static void rescan(struct monitor *m)
{
    (void)m; /* it knows what it has */
}

static void free_monitor(struct monitor *m)
{
    struct given_monitor *gm = of(m);
    struct given *g = NULL;

    for (size_t pos = 0; (g = hash_next(&gm->items, &pos));)
        given_free(g);
    hash_done(&gm->items);
    free(gm);
}

static const struct monitor_ops given_ops = {
    .start = start,
    .rescan = rescan,
    .free = free_monitor,
};

int monitor_given_new(const struct emperor_conf *conf, monitor_fn *fn, void *data,
                      struct monitor **ret)
{
    struct given_monitor *gm = calloc(1, sizeof(*gm));

    if (!gm)
        return -ENOMEM;
    *gm = (struct given_monitor){
        .monitor = {.ops = &given_ops,
                    .source = strdup("given://"),
                    .directory = getcwd(NULL, 0),
                    .fn = fn,
                    .data = data},
        .conf = conf,
    };
    if (!gm->monitor.source || !gm->monitor.directory) {
        (void)monitor_free(&gm->monitor);
        return -ENOMEM;
    }
    *ret = &gm->monitor;
    return 0;
}

/* Names are ASCII in practice; one that is not UTF-8 cannot have come over the control socket. */
json_t *monitor_given_save(const struct monitor *m, struct buf *blobs)
{
    const struct given_monitor *gm = of(m);
    const struct given *g = NULL;
    json_t *list = json_array();

    for (size_t pos = 0; (g = hash_next(&gm->items, &pos));) {
        json_t *j = json_object();
        size_t at = buf_len(blobs);
        if (buf_append(blobs, g->text, g->item.config_len) < 0) {
            json_decref(j);
            json_decref(list);
            return NULL;
        }
        (void)json_object_set_new(j, "name", json_string(g->name));
        (void)json_object_set_new(j, "socket", json_string(g->socket ? g->socket : ""));
        (void)json_object_set_new(j, "at", json_integer((json_int_t)at));
        (void)json_object_set_new(j, "len", json_integer((json_int_t)g->item.config_len));
        (void)json_object_set_new(j, "mtime_ns", json_integer((json_int_t)g->item.stamp.mtime_ns));
        (void)json_array_append_new(list, j);
    }
    return list;
}

static int restore_one(struct given_monitor *gm, const json_t *j, const char *blobs, size_t n)
{
    const char *name = json_string_value(json_object_get(j, "name"));
    const char *socket = json_string_value(json_object_get(j, "socket"));
    size_t at = (size_t)json_integer_value(json_object_get(j, "at"));
    size_t len = (size_t)json_integer_value(json_object_get(j, "len"));
    struct given *g = NULL;
    bool is_new = false;

    if (!name || !socket || at > n || len > n - at)
        return -EPROTO;
    int r = get(gm, name, blobs + at, len, socket, &g, &is_new);
    if (r == 0)
        g->item.stamp.mtime_ns = (uint64_t)json_integer_value(json_object_get(j, "mtime_ns"));
    return r;
}

int monitor_given_restore(struct monitor *m, const json_t *j, const char *blobs,
                          size_t n_blob_bytes)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < json_array_size(j); i++)
        r = restore_one(of(m), json_array_get(j, i), blobs, n_blob_bytes);
    return r;
}
