/* SPDX-License-Identifier: MIT */
/* The stats server. A client that reads slowly gets what its socket takes, and is dropped when it
 * has not taken all of it in CLIENT_US; at most MAX_CLIENTS are served at a time, further ones wait
 * in the kernel's queue. What a client sends is never read. Owned by emperor.c. */
#include "emperor/stats.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/sock.h"

#define MAX_CLIENTS 32
#define BACKLOG     64
#define CLIENT_US   (10 * US_PER_SEC)
#define PAUSE_US    (1 * US_PER_SEC) /* when there are no descriptors left */

struct client {
    struct stats *stats;
    struct loop_io io;
    struct loop_timer timer;
    char *text; /* of json_dumps() */
    size_t len, sent;
    struct list link;
};

struct stats {
    const struct court *court;
    struct loop *loop;
    struct loop_io io;
    struct loop_timer pause;
    struct list clients;
    unsigned n_clients;
    struct addr addr;
    struct sock_file file;
};

/* These take NULL for @j, and leave a key out when memory runs out. */

static void put_int(json_t *j, const char *key, uint64_t n)
{
    (void)json_object_set_new(j, key, json_integer((json_int_t)n));
}

static void put_flag(json_t *j, const char *key, bool on)
{
    put_int(j, key, on ? 1 : 0);
}

/* A time with its fraction, from microseconds. */
static void put_time(json_t *j, const char *key, uint64_t us)
{
    (void)json_object_set_new(j, key, json_real((double)us / US_PER_SEC));
}

/* Names are bytes, a document is UTF-8: what is not gets question marks. */
static json_t *string(const char *text)
{
    char ascii[PATH_MAX];
    json_t *j = json_string(text);

    if (j)
        return j;
    (void)snprintf(ascii, sizeof(ascii), "%s", text);
    for (char *c = ascii; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    return json_string(ascii);
}

static void put_text(json_t *j, const char *key, const char *text)
{
    (void)json_object_set_new(j, key, string(text));
}

static void put_process(json_t *j, const struct vassal *v)
{
    bool ending = v->state == VASSAL_STOPPING || v->state == VASSAL_RESTARTING ||
                  v->state == VASSAL_RETIRING || v->state == VASSAL_LOST;

    (void)json_object_set_new(j, "pid", json_integer(vassal_runs(v) ? v->proc.pid : -1));
    put_flag(j, "ready", v->state == VASSAL_READY || v->state == VASSAL_RELOADING);
    put_flag(j, "accepting", v->accepting);
    put_flag(j, "loyal", v->loyal);
    put_int(j, "first_run", (uint64_t)v->first_run);
    put_int(j, "last_run", (uint64_t)v->last_run);
    put_int(j, "last_ready", (uint64_t)v->last_ready);
    put_int(j, "last_accepting", (uint64_t)v->last_accepting);
    put_int(j, "last_loyal", (uint64_t)v->last_loyal);
    put_int(j, "last_heartbeat", (uint64_t)v->last_heartbeat);
    put_int(j, "respawns", v->n_reloads + v->n_respawns);
    put_int(j, "cursed", ending ? v->since_us / US_PER_SEC : 0);
}

static json_t *vassal_json(const struct vassal *v)
{
    json_t *j = json_object();

    put_text(j, "id", v->id);
    put_process(j, v);
    put_int(j, "born", v->first_stamp_us / US_PER_SEC);
    put_int(j, "last_mod", v->stamp_us / US_PER_SEC);
    put_int(j, "zerg", 0);
    put_text(j, "on_demand", "");
    put_int(j, "suspended", 0);
    put_int(j, "adopted", 0);
    put_int(j, "uid", v->uid);
    put_int(j, "gid", v->gid);
    put_text(j, "monitor", v->monitor->directory);
    (void)json_object_set_new(j, "attrs", json_object());

    put_text(j, "state", vassal_state_name(v->state));
    put_time(j, "since", v->since_us);
    put_text(j, "reason", v->reason);
    put_int(j, "generation", v->generation);
    put_int(j, "workers", v->workers);
    put_text(j, "exit", v->last_end);
    return j;
}

static json_t *blacklist_json(const struct vassal *v)
{
    json_t *j = json_object();

    put_text(j, "id", v->id);
    put_int(j, "throttle_level", v->delay_us / US_PER_MS);
    put_int(j, "attempt", v->n_early);
    put_int(j, "first_attempt", (uint64_t)v->first_early);
    put_int(j, "last_attempt", (uint64_t)v->last_early);
    return j;
}

static json_t *document(const struct court *c)
{
    _cleanup_free_ char *cwd = getcwd(NULL, 0);
    const struct liege_list *sources = &c->realm.conf->emperor;
    json_t *j = json_object(), *emperor = json_array();
    json_t *vassals = json_array(), *blacklist = json_array();
    struct vassal *v = NULL;

    for (size_t i = 0; i < sources->n_items; i++)
        (void)json_array_append_new(emperor, string(sources->items[i]));
    for (size_t pos = 0; (v = hash_next(&c->vassals, &pos));) {
        (void)json_array_append_new(vassals, vassal_json(v));
        if (v->delay_us > 0)
            (void)json_array_append_new(blacklist, blacklist_json(v));
    }
    put_text(j, "version", LIEGE_VERSION);
    put_int(j, "pid", (uint64_t)getpid());
    put_int(j, "uid", getuid());
    put_int(j, "gid", getgid());
    put_text(j, "cwd", cwd ? cwd : "");
    put_int(j, "emperor_tyrant", 0);
    put_int(j, "throttle_level", 0); /* of all vassals together: none of ours waits for another */
    (void)json_object_set_new(j, "emperor", emperor);
    (void)json_object_set_new(j, "vassals", vassals);
    (void)json_object_set_new(j, "blacklist", blacklist);
    return j;
}

/* Listens while there is room for another client. */
static void update_listening(struct stats *s)
{
    bool wanted = s->n_clients < MAX_CLIENTS && !loop_timer_is_set(&s->pause);
    int r = loop_io_modify(s->loop, &s->io, wanted ? EPOLLIN : 0);

    if (r < 0)
        (void)log_errno(LOG_ERR, r, "stats: cannot go on listening");
}

static void on_pause_over(struct loop_timer *t)
{
    update_listening(container_of(t, struct stats, pause));
}

static void client_free(struct client *cl)
{
    struct stats *s = cl->stats;

    loop_timer_clear(s->loop, &cl->timer);
    loop_io_remove(s->loop, &cl->io);
    closep(&cl->io.fd);
    list_remove(&cl->link);
    s->n_clients--;
    free(cl->text);
    free(cl);
}

static void client_drop(struct client *cl)
{
    struct stats *s = cl->stats;

    client_free(cl);
    update_listening(s);
}

static void on_client(struct loop_io *io, uint32_t events)
{
    struct client *cl = container_of(io, struct client, io);

    (void)events;
    ssize_t n = send(io->fd, cl->text + cl->sent, cl->len - cl->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0)
        cl->sent += (size_t)n;
    if (n < 0 || cl->sent == cl->len)
        client_drop(cl);
}

static void on_client_timer(struct loop_timer *t)
{
    client_drop(container_of(t, struct client, timer));
}

/* Takes over @fd. */
static int client_new(struct stats *s, int fd)
{
    struct client *cl = calloc(1, sizeof(*cl));
    json_t *j = document(s->court);

    if (cl)
        *cl = (struct client){
            .stats = s,
            .io = {.fd = fd, .fn = on_client},
            .timer = {.fn = on_client_timer},
            .text = j ? json_dumps(j, JSON_INDENT(1)) : NULL,
        };
    json_decref(j);
    if (!cl || !cl->text) {
        free(cl);
        (void)close(fd);
        return -ENOMEM;
    }
    cl->len = strlen(cl->text);
    list_append(&s->clients, &cl->link);
    s->n_clients++;
    loop_timer_set(s->loop, &cl->timer, loop_now_us(s->loop) + CLIENT_US);
    int r = loop_io_add(s->loop, &cl->io, EPOLLOUT);
    if (r < 0)
        client_free(cl);
    return r;
}

static void on_connection(struct loop_io *io, uint32_t events)
{
    struct stats *s = container_of(io, struct stats, io);
    int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    int r = 0;

    (void)events;
    if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
        return;
    r = fd < 0 ? -errno : client_new(s, fd);
    if (r < 0) {
        (void)log_errno(LOG_WARNING, r, "stats: cannot serve a client, none for a second");
        loop_timer_set(s->loop, &s->pause, loop_now_us(s->loop) + PAUSE_US);
    }
    update_listening(s);
}

int stats_new(const struct court *c, const char *address, const struct cred *owner,
              struct stats **ret, struct errmsg *err)
{
    struct sock_options options = {.backlog = BACKLOG,
                                   .mode = 0660,
                                   .uid = owner->set_uid ? owner->uid : (uid_t)-1,
                                   .gid = owner->set_gid ? owner->gid : (gid_t)-1};
    struct stats *s = calloc(1, sizeof(*s));

    if (!s)
        return errmsg_set_errno(err, -ENOMEM, "emperor-stats");
    *s = (struct stats){
        .court = c,
        .loop = c->realm.loop,
        .io = {.fd = -1, .fn = on_connection},
        .pause = {.fn = on_pause_over},
    };
    list_init(&s->clients);
    int r = addr_parse(address, &s->addr, err);
    if (r == 0)
        r = s->io.fd = sock_listen(&s->addr, &options, &s->file, err);
    if (r >= 0) {
        r = loop_io_add(s->loop, &s->io, EPOLLIN);
        if (r < 0)
            (void)errmsg_set_errno(err, r, "cannot listen on %s", address);
    }
    if (r < 0) {
        (void)stats_free(s);
        return errmsg_prefix(err, r, "emperor-stats");
    }
    *ret = s;
    return 0;
}

struct stats *stats_free(struct stats *s)
{
    const char *path = NULL;

    if (!s)
        return NULL;
    LIST_FOREACH (it, &s->clients)
        client_free(container_of(it, struct client, link));
    loop_timer_clear(s->loop, &s->pause);
    if (s->io.fd >= 0) {
        loop_io_remove(s->loop, &s->io);
        (void)close(s->io.fd);
        if (addr_path(&s->addr, &path))
            sock_unlink(path, &s->file);
    }
    free(s);
    return NULL;
}
