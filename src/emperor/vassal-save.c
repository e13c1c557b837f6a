/* SPDX-License-Identifier: MIT */
/* The rows of `fields` are what a record has in plain values; processes, sockets and lists are
 * written by hand. The reader takes what it knows and leaves alone what it does not, so that the
 * program before and the one after need not be of one release. Names are bytes, and a document is
 * UTF-8: in texts every byte that is not plain ASCII is written as %XX. Used by upgrade.c. */
#include "emperor/vassal-save.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "emperor/adoption.h"
#include "emperor/succession.h"
#include "emperor/vassal-base.h"
#include "emperor/vassal-config.h"
#include "emperor/vassal-demand.h"
#include "emperor/vassal-files.h"
#include "emperor/vassal-process.h"

enum type { TYPE_U64, TYPE_U32, TYPE_TIME, TYPE_BOOL, TYPE_TEXT };

/* The name is what other releases know the value by, wherever it is kept here. */
#define FIELD(name, member, kind)                                                                  \
    {                                                                                              \
        name, kind, offsetof(struct vassal, member), sizeof(((struct vassal *)NULL)->member)       \
    }

/* clang-format off */
static const struct field {
    const char *name;
    enum type type;
    size_t offset, size;
} fields[] = {
    FIELD("first_stamp_us", first_stamp_us, TYPE_U64),
    FIELD("since_us", since_us, TYPE_U64),
    FIELD("wait_us", wait_us, TYPE_U64),
    FIELD("asked_mono_us", life.asked_mono_us, TYPE_U64),
    FIELD("ready_mono_us", life.ready_mono_us, TYPE_U64),
    FIELD("n_reloads", n_reloads, TYPE_U64),
    FIELD("n_respawns", n_respawns, TYPE_U64),
    FIELD("delay_us", delay_us, TYPE_U64),
    FIELD("stamp.mtime_ns", stamp.mtime_ns, TYPE_U64),
    FIELD("stamp.inode", stamp.inode, TYPE_U64),
    FIELD("stamp.device", stamp.device, TYPE_U64),
    FIELD("stamp.size", stamp.size, TYPE_U64),
    FIELD("uid", uid, TYPE_U32),
    FIELD("gid", gid, TYPE_U32),
    FIELD("generation", life.generation, TYPE_U32),
    FIELD("workers", life.workers, TYPE_U32),
    FIELD("n_early", n_early, TYPE_U32),
    FIELD("zerg", zerg, TYPE_U32),
    FIELD("first_run", first_run, TYPE_TIME),
    FIELD("last_run", last_run, TYPE_TIME),
    FIELD("last_ready", last_ready, TYPE_TIME),
    FIELD("last_accepting", last_accepting, TYPE_TIME),
    FIELD("last_loyal", last_loyal, TYPE_TIME),
    FIELD("last_heartbeat", last_heartbeat, TYPE_TIME),
    FIELD("first_early", first_early, TYPE_TIME),
    FIELD("last_early", last_early, TYPE_TIME),
    FIELD("failed_serial", failed_serial, TYPE_U32),
    FIELD("base_pid", life.base_pid, TYPE_U32),
    FIELD("base_generation", life.base_generation, TYPE_U32),
    FIELD("base_serial", life.base_serial, TYPE_U32),
    FIELD("offers_generation", offers_generation, TYPE_U32),
    FIELD("offers_serial", offers_serial, TYPE_U32),
    FIELD("adopted", life.adopted, TYPE_BOOL),
    FIELD("base", life.base, TYPE_TEXT),
    FIELD("offers", offers, TYPE_TEXT),
    FIELD("accepting", life.accepting, TYPE_BOOL),
    FIELD("loyal", life.loyal, TYPE_BOOL),
    FIELD("speaks", life.speaks, TYPE_BOOL),
    FIELD("owes_reload", owes_reload, TYPE_BOOL),
    FIELD("kept", life.kept, TYPE_BOOL),
    FIELD("program", program, TYPE_BOOL),
    FIELD("reason", reason, TYPE_TEXT),
    FIELD("complaint", life.complaint, TYPE_TEXT),
    FIELD("last_end", last_end, TYPE_TEXT),
};
/* clang-format on */

static int escape(const char *text, struct buf *out)
{
    int r = 0;

    for (const char *c = text; r == 0 && *c; c++) {
        bool plain = (unsigned char)*c >= ' ' && (unsigned char)*c < 0x7f && *c != '%';
        r = plain ? buf_append(out, c, 1) : buf_printf(out, "%%%02x", (unsigned char)*c);
    }
    return r < 0 ? r : buf_append(out, "", 1);
}

static json_t *text_json(const char *text)
{
    _cleanup_(buf_done) struct buf out = {0};

    return escape(text, &out) < 0 ? NULL : json_string(buf_at(&out));
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* The text that @j has, allocated; NULL: it is none, or there is no memory. */
static char *json_to_text(const json_t *j)
{
    const char *from = json_string_value(j);
    char *text = from ? malloc(strlen(from) + 1) : NULL, *to = text;

    if (!text)
        return NULL;
    while (*from)
        if (from[0] == '%' && isxdigit((unsigned char)from[1]) &&
            isxdigit((unsigned char)from[2])) {
            *to++ = (char)(hex_digit(from[1]) * 16 + hex_digit(from[2]));
            from += 3;
        } else {
            *to++ = *from++;
        }
    *to = '\0';
    return text;
}

static json_t *field_json(const struct vassal *v, const struct field *f)
{
    const void *at = (const char *)v + f->offset;

    switch (f->type) {
    case TYPE_U64:
        return json_integer((json_int_t) * (const uint64_t *)at);
    case TYPE_U32:
        return json_integer(*(const uint32_t *)at);
    case TYPE_TIME:
        return json_integer(*(const time_t *)at);
    case TYPE_BOOL:
        return json_boolean(*(const bool *)at);
    case TYPE_TEXT:
        return text_json(at);
    }
    return NULL;
}

static void set_field(struct vassal *v, const struct field *f, const json_t *j)
{
    void *at = (char *)v + f->offset;
    _cleanup_free_ char *text = f->type == TYPE_TEXT ? json_to_text(j) : NULL;

    switch (f->type) {
    case TYPE_U64:
        *(uint64_t *)at = (uint64_t)json_integer_value(j);
        break;
    case TYPE_U32:
        *(uint32_t *)at = (uint32_t)json_integer_value(j);
        break;
    case TYPE_TIME:
        *(time_t *)at = (time_t)json_integer_value(j);
        break;
    case TYPE_BOOL:
        *(bool *)at = json_is_true(j);
        break;
    case TYPE_TEXT:
        (void)snprintf(at, f->size, "%s", text ? text : "");
        break;
    }
}

static json_t *list_json(const struct liege_list *list)
{
    json_t *j = json_array();

    for (size_t i = 0; i < list->n_items; i++)
        (void)json_array_append_new(j, text_json(list->items[i]));
    return j;
}

static int set_list(struct liege_list *list, const json_t *j)
{
    strv_done(list);
    for (size_t i = 0; i < json_array_size(j); i++) {
        _cleanup_free_ char *text = json_to_text(json_array_get(j, i));
        if (!text || strv_append(list, text) < 0)
            return -ENOMEM;
    }
    return 0;
}

static void put_int(json_t *j, const char *key, json_int_t n)
{
    (void)json_object_set_new(j, key, json_integer(n));
}

static json_t *files_json(const struct vassal *v)
{
    json_t *j = json_array();

    for (size_t i = 0; i < v->n_files; i++) {
        const struct stamp *s = &v->files[i].stamp;
        json_t *file = json_object();
        (void)json_object_set_new(file, "path", text_json(v->files[i].path));
        put_int(file, "mtime_ns", (json_int_t)s->mtime_ns);
        put_int(file, "inode", (json_int_t)s->inode);
        put_int(file, "device", (json_int_t)s->device);
        put_int(file, "size", (json_int_t)s->size);
        (void)json_array_append_new(j, file);
    }
    return j;
}

static int set_files(struct vassal *v, const json_t *j)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < json_array_size(j); i++) {
        const json_t *file = json_array_get(j, i);
        _cleanup_free_ char *path = json_to_text(json_object_get(file, "path"));
        const struct stamp stamp = {
            .mtime_ns = (uint64_t)json_integer_value(json_object_get(file, "mtime_ns")),
            .inode = (uint64_t)json_integer_value(json_object_get(file, "inode")),
            .device = (uint64_t)json_integer_value(json_object_get(file, "device")),
            .size = (uint64_t)json_integer_value(json_object_get(file, "size")),
        };
        r = path ? vassal_note_file(v, path, &stamp) : -ENOMEM;
    }
    return r;
}

static void put_process(json_t *j, const struct vassal *v)
{
    put_int(j, "pid", v->proc.pid);
    put_int(j, "pidfd", v->proc.pidfd);
    put_int(j, "pipe_fd", v->pipe_io.fd);
    put_int(j, "status_fd", v->status.io.fd);
    put_int(j, "log_fd", v->log.io.fd);
    put_int(j, "config_fd", vassal_config_fd(v));
}

/* What its base was asked for; whom it was not asked for yet waits again. */
static void put_adoption(json_t *j, const struct vassal *v)
{
    struct adoption_kept kept;

    if (!adoption_keep(v, &kept)) {
        (void)json_object_set_new(j, "state", json_string(vassal_state_name(VASSAL_WAITING)));
        return;
    }
    put_int(j, "adoption_fd", kept.fd);
    put_int(j, "adoption_until_us", (json_int_t)kept.until_us);
    put_int(j, "pipe_fd", kept.ours.pipe_fd);
    put_int(j, "status_fd", kept.ours.status_fd);
    put_int(j, "log_fd", kept.ours.log_fd);
    put_int(j, "config_fd", kept.ours.config_fd);
}

static void put_demand(json_t *j, const struct vassal *v)
{
    json_t *d = json_object();

    (void)json_object_set_new(d, "address", text_json(v->demand->address));
    put_int(d, "fd", v->demand->io.fd);
    put_int(d, "dev", (json_int_t)v->demand->file.dev);
    put_int(d, "ino", (json_int_t)v->demand->file.ino);
    (void)json_object_set_new(j, "demand", d);
}

static void put_log(json_t *j, const struct vassal *v, struct buf *blobs)
{
    size_t at = buf_len(blobs);

    if (vassal_log_save(&v->log, blobs) < 0)
        return; /* the lines are lost, the vassal is not */
    put_int(j, "log_at", (json_int_t)at);
    put_int(j, "log_len", (json_int_t)(buf_len(blobs) - at));
    put_int(j, "log_begun", (json_int_t)(v->log.head - v->log.passed));
}

json_t *vassal_save(const struct vassal *v, struct buf *blobs)
{
    json_t *j = json_object();

    if (!j)
        return NULL;
    (void)json_object_set_new(j, "id", text_json(v->id));
    (void)json_object_set_new(j, "name", text_json(v->name));
    (void)json_object_set_new(j, "path", text_json(v->path));
    (void)json_object_set_new(j, "source", text_json(v->monitor->source));
    (void)json_object_set_new(j, "state", json_string(vassal_state_name(v->state)));
    if (v->elder)
        (void)json_object_set_new(j, "elder", text_json(v->elder->id));
    if (v->succession && v->state == VASSAL_RELOADING) /* begins again */
        (void)json_object_set_new(j, "state", json_string(vassal_state_name(VASSAL_OUTDATED)));
    (void)json_object_set_new(j, "attributes", list_json(&v->attributes));
    (void)json_object_set_new(j, "files", files_json(v));
    (void)json_object_set_new(j, "unsettled", json_boolean(vassal_settle_is_owed(v)));
    put_int(j, "question_pid", vassal_settle_pid(v));
    put_int(j, "timer_us", loop_timer_is_set(&v->timer) ? (json_int_t)v->timer.at_us : 0);
    put_int(j, "heart_us", loop_timer_is_set(&v->heart) ? (json_int_t)v->heart.at_us : 0);
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        (void)json_object_set_new(j, fields[i].name, field_json(v, &fields[i]));
    if (vassal_runs(v))
        put_process(j, v);
    else if (v->adoption)
        put_adoption(j, v);
    if (v->demand)
        put_demand(j, v);
    put_log(j, v, blobs);
    return j;
}

void vassal_each_fd(const struct vassal *v, void (*fn)(int fd, void *data), void *data)
{
    struct adoption_kept kept = {.ours = LAUNCHED_NONE, .fd = -1};

    (void)adoption_keep(v, &kept); /* of most there is none */
    const int fds[] = {
        v->proc.pidfd,
        v->pipe_io.fd,
        v->status.io.fd,
        v->log.io.fd,
        vassal_config_fd(v),
        v->demand ? v->demand->io.fd : -1,
        kept.fd,
        kept.ours.pipe_fd,
        kept.ours.status_fd,
        kept.ours.config_fd,
        kept.ours.log_fd,
    };

    for (size_t i = 0; i < COUNT_OF(fds); i++)
        if (fds[i] >= 0)
            fn(fds[i], data);
}

/* The descriptor that @key names, or -1. */
static int get_fd(const json_t *j, const char *key)
{
    const json_t *fd = json_object_get(j, key);

    return json_is_integer(fd) ? (int)json_integer_value(fd) : -1;
}

void vassal_each_saved_fd(const json_t *j, void (*fn)(int fd, void *data), void *data)
{
    static const char *const keys[] = {"pidfd",  "pipe_fd",   "status_fd",
                                       "log_fd", "config_fd", "adoption_fd"};
    int fd = get_fd(json_object_get(j, "demand"), "fd");

    if (fd >= 0)
        fn(fd, data);
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        fd = get_fd(j, keys[i]);
        if (fd >= 0)
            fn(fd, data);
    }
}

static int restore_process(struct vassal *v, const json_t *j)
{
    const json_t *pid = json_object_get(j, "pid");
    struct launched started = {
        .proc = {.pid = (pid_t)json_integer_value(pid), .pidfd = get_fd(j, "pidfd")},
        .pipe_fd = get_fd(j, "pipe_fd"),
        .status_fd = get_fd(j, "status_fd"),
        .log_fd = get_fd(j, "log_fd"),
        .config_fd = get_fd(j, "config_fd"),
        .configured = json_is_integer(pid),
    };
    const struct adoption_kept kept = {
        .ours = started,
        .fd = get_fd(j, "adoption_fd"),
        .until_us = (uint64_t)json_integer_value(json_object_get(j, "adoption_until_us")),
    };

    if (kept.fd >= 0)
        return adoption_resume(v, &kept);
    if (!json_is_integer(pid))
        return 0;
    if (started.proc.pid <= 0 || started.proc.pidfd < 0)
        return -EPROTO;
    return vassal_adopt(v, &started);
}

/* Ends the command that was asked: nobody hears its answer. It is our child and not reaped yet, so
 * its number is its own. */
static void end_question(const json_t *j)
{
    pid_t pid = (pid_t)json_integer_value(json_object_get(j, "question_pid"));

    if (pid > 1) {
        (void)kill(-pid, SIGKILL); /* ESRCH: it has ended, or has not made its group yet */
        (void)kill(pid, SIGKILL);
    }
}

static int restore_demand(struct vassal *v, const json_t *d)
{
    _cleanup_free_ char *address = json_to_text(json_object_get(d, "address"));
    const struct sock_file file = {
        .dev = (dev_t)json_integer_value(json_object_get(d, "dev")),
        .ino = (ino_t)json_integer_value(json_object_get(d, "ino")),
    };
    int fd = get_fd(d, "fd");

    if (!d)
        return 0;
    return address && fd >= 0 ? vassal_settle_adopt(v, address, &file, fd) : -EPROTO;
}

static void restore_log(struct vassal *v, const json_t *j, const char *blobs, size_t n_blob_bytes)
{
    size_t at = (size_t)json_integer_value(json_object_get(j, "log_at"));
    size_t len = (size_t)json_integer_value(json_object_get(j, "log_len"));
    size_t begun = (size_t)json_integer_value(json_object_get(j, "log_begun"));

    if (at <= n_blob_bytes && len <= n_blob_bytes - at && begun <= len)
        vassal_log_restore(&v->log, blobs + at, len, begun);
}

static int restore_rest(struct vassal *v, const json_t *j)
{
    const char *name = json_string_value(json_object_get(j, "state"));
    enum vassal_state state = VASSAL_NEW;
    int r = set_list(&v->attributes, json_object_get(j, "attributes"));

    if (r == 0)
        r = set_files(v, json_object_get(j, "files"));
    if (r == 0)
        r = restore_demand(v, json_object_get(j, "demand"));
    int process = restore_process(v, j);
    r = r < 0 ? r : process;
    if (r == 0 && (!name || vassal_state_find(name, &state) < 0))
        r = -EPROTO;
    if (r == 0)
        vassal_restore_state(v, state, (uint64_t)json_integer_value(json_object_get(j, "timer_us")),
                             (uint64_t)json_integer_value(json_object_get(j, "heart_us")));
    return r;
}

/* The record with what names it. */
static int make_record(struct vassal_realm *realm, struct monitor *m, const json_t *j,
                       struct vassal **ret)
{
    char *id = json_to_text(json_object_get(j, "id"));
    char *name = json_to_text(json_object_get(j, "name"));
    char *path = json_to_text(json_object_get(j, "path"));
    struct monitor_item item = {.name = name, .path = path};
    int r = id && name && path ? vassal_new(realm, m, &item, id, ret) : -EPROTO;

    if (r == 0)
        vassal_set_item(*ret, NULL);
    free(id);
    free(name);
    free(path);
    return r;
}

void vassal_restore_elder(const struct court *c, const json_t *j)
{
    _cleanup_free_ char *id = json_to_text(json_object_get(j, "id"));
    _cleanup_free_ char *elder = json_to_text(json_object_get(j, "elder"));
    struct vassal *v = id ? hash_get(&c->vassals, id) : NULL;
    struct vassal *of = elder ? hash_get(&c->vassals, elder) : NULL;

    if (v && of && !of->succession)
        succession_restore(of, v);
}

int vassal_restore(struct vassal_realm *realm, struct monitor *m, const json_t *j,
                   const char *blobs, size_t n_blob_bytes, struct vassal **ret)
{
    struct vassal *v = NULL;
    int r = make_record(realm, m, j, &v);

    if (r < 0)
        return r;
    v->restored = true;
    v->unsettled = json_is_true(json_object_get(j, "unsettled"));
    v->owes_reload = true; /* to a program that does not tell */
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        const json_t *value = json_object_get(j, fields[i].name);
        if (value)
            set_field(v, &fields[i], value);
    }
    end_question(j);
    restore_log(v, j, blobs, n_blob_bytes);
    r = restore_rest(v, j);
    if (r < 0) {
        (void)vassal_free(v);
        return r;
    }
    vassal_base_restore(v);
    *ret = v;
    return 0;
}
