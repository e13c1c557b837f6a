/* SPDX-License-Identifier: MIT */
/* What goes through an upgrade: a memfd with a number, the length of a JSON document; the document;
 * and bytes that it refers to. Descriptors keep their numbers, since the process stays the same;
 * they are close-on-exec at all other times.
 *
 * The program before is passed along as a descriptor, too. If the new one does not come as far as
 * its loop (its configuration is refused, it cannot read the state), it becomes the old one again.
 * Used by emperor.c and the program's main(). */
#include "emperor/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/strv.h"
#include "emperor/monitor-given.h"
#include "emperor/vassal-save.h"
#include "ipc/fdmap.h"

#define VERSION         1
#define STATE_MAX_BYTES ((size_t)1 << 30)

#define ENV_STATE   "LIEGE_" EMPEROR_ENV_STATE_FD
#define ENV_PROGRAM "LIEGE_" EMPEROR_ENV_PROGRAM_FD

static const char *const socket_names[UPGRADE_SOCKET_COUNT] = {
    [UPGRADE_STATS] = "stats",
    [UPGRADE_CONTROL] = "control",
};

/* Writing */

static void put_int(json_t *j, const char *key, json_int_t n)
{
    (void)json_object_set_new(j, key, json_integer(n));
}

static void put_sockets(json_t *j, const struct sock_kept *sockets)
{
    for (size_t i = 0; i < UPGRADE_SOCKET_COUNT; i++) {
        json_t *s = json_object();
        put_int(s, "fd", sockets[i].fd);
        put_int(s, "dev", (json_int_t)sockets[i].file.dev);
        put_int(s, "ino", (json_int_t)sockets[i].file.ino);
        (void)json_object_set_new(j, socket_names[i], s);
    }
}

/* A vassal that was not begun with yet is found again by its monitor. */
static bool is_worth_saving(const struct vassal *v)
{
    return v->state != VASSAL_GONE && v->state != VASSAL_NEW;
}

static json_t *make_document(const struct court *c, const struct sock_kept *sockets,
                             struct buf *blobs)
{
    json_t *j = json_object(), *vassals = json_array();
    const struct vassal *v = NULL;

    for (size_t pos = 0; (v = hash_next(&c->vassals, &pos));)
        if (is_worth_saving(v))
            (void)json_array_append_new(vassals, vassal_save(v, blobs));
    put_int(j, "state_version", VERSION);
    put_int(j, "throttle_level_us", (json_int_t)c->realm.throttle.level_us);
    put_int(j, "throttle_last_us", (json_int_t)c->realm.throttle.last_us);
    put_int(j, "nofile_soft", (json_int_t)c->realm.nofile.rlim_cur);
    put_int(j, "nofile_hard", (json_int_t)c->realm.nofile.rlim_max);
    put_sockets(j, sockets);
    (void)json_object_set_new(j, "given", monitor_given_save(c->given, blobs));
    (void)json_object_set_new(j, "vassals", vassals);
    return j;
}

static int write_all(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0)
            return -errno;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Returns the memfd, which is close-on-exec, or a negative errno. */
static int save(const struct court *c, const struct sock_kept *sockets)
{
    _cleanup_(buf_done) struct buf blobs = {0};
    json_t *j = make_document(c, sockets, &blobs);
    _cleanup_free_ char *text = json_dumps(j, JSON_COMPACT);
    _cleanup_close_ int fd = memfd_create("liege-emperor", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    json_decref(j);
    if (fd < 0)
        return -errno;
    if (!text)
        return -ENOMEM;
    uint64_t len = strlen(text);
    int r = write_all(fd, &len, sizeof(len));
    if (r == 0)
        r = write_all(fd, text, len);
    if (r == 0)
        r = write_all(fd, buf_len(&blobs) > 0 ? buf_at(&blobs) : "", buf_len(&blobs));
    if (r == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
        r = -errno;
    return r < 0 ? r : TAKE_FD(fd);
}

static void keep(int fd, void *data)
{
    (void)fd_set_cloexec(fd, !*(bool *)data); /* it is open: this cannot fail */
}

/* Whether the descriptors stay open over execve(2). */
static void keep_all(const struct court *c, const struct sock_kept *sockets, bool on)
{
    const struct vassal *v = NULL;

    for (size_t pos = 0; (v = hash_next(&c->vassals, &pos));)
        if (is_worth_saving(v))
            vassal_each_fd(v, keep, &on);
    for (size_t i = 0; i < UPGRADE_SOCKET_COUNT; i++)
        if (sockets[i].fd >= 0)
            keep(sockets[i].fd, &on);
}

static int set_number(const char *name, int fd)
{
    char text[12];

    (void)snprintf(text, sizeof(text), "%d", fd);
    return setenv(name, text, true) < 0 ? -errno : 0;
}

int upgrade_exec(const char *path, char *const *argv, const struct court *c,
                 const struct sock_kept sockets[UPGRADE_SOCKET_COUNT])
{
    _cleanup_close_ int state_fd = save(c, sockets);
    _cleanup_close_ int program_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    if (state_fd < 0 || program_fd < 0)
        return state_fd < 0 ? state_fd : -errno;
    int r = set_number(ENV_STATE, state_fd);
    if (r == 0)
        r = set_number(ENV_PROGRAM, program_fd);
    if (r == 0) {
        keep_all(c, sockets, true);
        (void)fd_set_cloexec(state_fd, false);
        (void)fd_set_cloexec(program_fd, false);
        (void)execve(path, argv, environ);
        r = -errno;
        keep_all(c, sockets, false);
    }
    (void)unsetenv(ENV_STATE);
    (void)unsetenv(ENV_PROGRAM);
    return r;
}

/* Reading */

static void read_sockets(struct upgrade *u)
{
    for (size_t i = 0; i < UPGRADE_SOCKET_COUNT; i++) {
        const json_t *s = json_object_get(u->state, socket_names[i]);
        const json_t *fd = json_object_get(s, "fd");
        u->sockets[i] = (struct sock_kept){
            .fd = json_is_integer(fd) ? (int)json_integer_value(fd) : -1,
            .file.dev = (dev_t)json_integer_value(json_object_get(s, "dev")),
            .file.ino = (ino_t)json_integer_value(json_object_get(s, "ino")),
        };
    }
}

static int read_document(struct upgrade *u, size_t len, struct errmsg *err)
{
    uint64_t n = 0;
    json_error_t error;

    if (len >= sizeof(n))
        memcpy(&n, u->text, sizeof(n));
    if (n == 0 || n > len - sizeof(n))
        return errmsg_set(err, -EPROTO, "what the Emperor before has left is no state of one");
    u->state = json_loadb(u->text + sizeof(n), n, 0, &error);
    if (!u->state)
        return errmsg_set(err, -EPROTO, "what the Emperor before has left is broken: %s",
                          error.text);
    u->blobs = u->text + sizeof(n) + n;
    u->n_blob_bytes = len - sizeof(n) - n;
    u->nofile = (struct rlimit){
        .rlim_cur = (rlim_t)json_integer_value(json_object_get(u->state, "nofile_soft")),
        .rlim_max = (rlim_t)json_integer_value(json_object_get(u->state, "nofile_hard")),
    };
    read_sockets(u);
    return 0;
}

/* A number that the program before wrote. */
static int to_fd(const char *text)
{
    return (int)strtol(text, NULL, 10);
}

int upgrade_find(struct upgrade *u, struct errmsg *err)
{
    const char *text = getenv(ENV_STATE);
    size_t len = 0;

    *u = (struct upgrade){0};
    for (size_t i = 0; i < UPGRADE_SOCKET_COUNT; i++)
        u->sockets[i].fd = -1;
    if (!text)
        return 0;
    int fd = to_fd(text);
    int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : fd_read_all(fd, STATE_MAX_BYTES, &u->text, &len);
    return r < 0 ? errmsg_set_errno(err, r, "%s=%s", ENV_STATE, text) : read_document(u, len, err);
}

int upgrade_check(const struct upgrade *u, struct errmsg *err)
{
    json_int_t version = json_integer_value(json_object_get(u->state, "state_version"));

    if (u->state && version != VERSION)
        return errmsg_set(err, -EPROTO, "the state of the Emperor before is of version %d, not %d",
                          (int)version, VERSION);
    return 0;
}

void upgrade_done(struct upgrade *u)
{
    static const char *const names[] = {ENV_STATE, ENV_PROGRAM};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *text = getenv(names[i]);
        if (text)
            (void)close(to_fd(text));
        (void)unsetenv(names[i]);
    }
    json_decref(u->state);
    free(u->text);
    *u = (struct upgrade){0};
}

/* Descriptors that this program has taken for itself go on to the next one all the same. */
static void keep_saved(const struct upgrade *u)
{
    const json_t *vassals = json_object_get(u->state, "vassals");
    bool on = true;

    for (size_t i = 0; i < UPGRADE_SOCKET_COUNT; i++)
        if (u->sockets[i].fd >= 0)
            keep(u->sockets[i].fd, &on);
    for (size_t i = 0; i < json_array_size(vassals); i++)
        vassal_each_saved_fd(json_array_get(vassals, i), keep, &on);
}

bool upgrade_is_under_way(void)
{
    return getenv(ENV_STATE) != NULL;
}

void upgrade_fall_back(char *const *argv)
{
    const char *state = getenv(ENV_STATE), *program = getenv(ENV_PROGRAM);
    struct errmsg ignored = {""};
    struct upgrade u;

    if (!state || !program)
        return;
    int state_fd = to_fd(state), program_fd = to_fd(program);
    log_error("the upgrade failed, the program of before goes on");
    if (upgrade_find(&u, &ignored) == 0)
        keep_saved(&u);
    (void)fd_set_cloexec(state_fd, false);
    (void)unsetenv(ENV_PROGRAM); /* it is the last one */
    (void)execveat(program_fd, "", argv, environ, AT_EMPTY_PATH);
    (void)log_errno(LOG_ERR, errno, "nor can the program of before be started");
}

/* The monitor that is called @source; NULL: there is none any more, or it is spelled otherwise now.
 */
static struct monitor *find_monitor(const char *source, struct monitor *const *monitors, size_t n)
{
    for (size_t i = 0; source && i < n; i++)
        if (strcmp(monitors[i]->source, source) == 0)
            return monitors[i];
    return NULL;
}

void upgrade_restore(struct upgrade *u, struct court *c, struct monitor *const *monitors,
                     size_t n_monitors)
{
    const json_t *vassals = json_object_get(u->state, "vassals");
    size_t n = json_array_size(vassals), n_lost = 0;

    c->realm.throttle = (struct throttle){
        .level_us = (uint64_t)json_integer_value(json_object_get(u->state, "throttle_level_us")),
        .last_us = (uint64_t)json_integer_value(json_object_get(u->state, "throttle_last_us")),
    };
    int given = monitor_given_restore(c->given, json_object_get(u->state, "given"), u->blobs,
                                      u->n_blob_bytes);
    if (given < 0)
        (void)log_errno(LOG_ERR, given, "configurations that were given are lost");
    c->n_unsettled = n_monitors;
    for (size_t i = 0; i < n; i++) {
        const json_t *j = json_array_get(vassals, i);
        const char *source = json_string_value(json_object_get(j, "source"));
        struct monitor *m = find_monitor(source, monitors, n_monitors);
        struct vassal *v = NULL;
        int r = vassal_restore(&c->realm, m ? m : monitors[0], j, u->blobs, u->n_blob_bytes, &v);
        if (r == 0) {
            v->stray = !m;
            r = court_take_in(c, v);
        }
        if (r < 0) {
            const char *id = json_string_value(json_object_get(j, "id"));
            (void)log_errno(LOG_ERR, r, "vassal %s: cannot be taken over", id ? id : "?");
            n_lost++;
        }
    }
    for (size_t i = 0; i < n; i++)
        vassal_restore_elder(c, json_array_get(vassals, i));
    log_info("the upgrade is done: %zu vassals go on%s", n - n_lost,
             n_lost > 0 ? ", the others are lost" : "");
}
