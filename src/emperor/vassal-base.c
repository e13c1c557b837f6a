/* SPDX-License-Identifier: MIT */
/* From a vassal's name and attributes to the base that it is forked from, and from a base to those
 * who wait for it. A base is known by the address that it says itself; that it listens there too is
 * found out by whoever connects (ipc/adoption.h). Used by vassal.c, court.c and adoption.c. */
#include "emperor/vassal-base.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/strv.h"
#include "emperor/adoption.h"
#include "emperor/succession.h"
#include "emperor/vassal-process.h"

#define AT_ONCE 64 /* of those that have waited for a base: a thousand would take a while */

/* Takes "//", "/./" and "/DIRECTORY/../" out of an absolute path. */
static void shorten(char *path)
{
    char *to = path;

    for (const char *from = path; *from;) {
        size_t len = 1 + strcspn(from + 1, "/"); /* of "/NAME" */
        if (len == 3 && memcmp(from, "/..", 3) == 0)
            while (to > path && *--to != '/')
                ;
        else if (len > 1 && !(len == 2 && from[1] == '.'))
            to = (char *)memmove(to, from, len) + len;
        from += len;
    }
    *to = '\0';
}

/* Follows the links of the folder, if that is there: /var/run is one on most systems. A socket that
 * would have too long a name then keeps the one that works. */
static void resolve(char *path)
{
    char folder[PATH_MAX], *name = strrchr(path, '/') + 1;
    bool is_name = *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
    const char first = *name;

    *name = '\0';
    bool found = is_name && realpath(path, folder);
    *name = first;
    const char *slash = found && folder[1] ? "/" : "";
    if (found && strlen(folder) + strlen(slash) + strlen(name) < VASSAL_ADDRESS_BYTES) {
        char spelled[PATH_MAX];
        (void)snprintf(spelled, sizeof(spelled), "%s%s%s", folder, slash, name);
        (void)snprintf(path, PATH_MAX, "%s", spelled);
    } else {
        shorten(path);
    }
}

/* The address that @text means in @directory, spelled in the one way that they are compared in. */
static int normalise(const char *text, const char *directory, char ret[VASSAL_ADDRESS_BYTES],
                     struct errmsg *err)
{
    char path[PATH_MAX];
    struct addr addr;
    int r = addr_parse(text, &addr, err);

    if (r < 0)
        return r;
    if (addr.len == 0 || addr.sa.any.sa_family != AF_UNIX)
        return errmsg_set(err, -EAFNOSUPPORT, "%s is no UNIX socket: name a path or @NAME", text);
    bool relative = text[0] != '/' && text[0] != '@';
    int n = snprintf(path, sizeof(path), "%s%s%s", relative ? directory : "", relative ? "/" : "",
                     text);
    if (text[0] != '@' && n > 0 && (size_t)n < sizeof(path))
        resolve(path);
    if (n < 0 || (size_t)n >= sizeof(path) || strlen(path) >= VASSAL_ADDRESS_BYTES)
        return errmsg_set(err, -ENAMETOOLONG, "%s: the path of a socket has at most %d bytes", path,
                          VASSAL_ADDRESS_BYTES - 1);
    memcpy(ret, path, strlen(path) + 1);
    return 0;
}

/* The address of emperor-use-fork-server. */
static int find_general(const struct emperor_conf *conf, char ret[VASSAL_ADDRESS_BYTES],
                        struct errmsg *err)
{
    char cwd[4096] = "";

    if (conf->fork_server[0] != '/' && !getcwd(cwd, sizeof(cwd)))
        return errmsg_set_errno(err, -errno, "emperor-use-fork-server: the current directory");
    int r = normalise(conf->fork_server, cwd, ret, err);
    return r < 0 ? errmsg_prefix(err, r, "emperor-use-fork-server") : 1;
}

int vassal_base_check(const struct emperor_conf *conf, struct errmsg *err)
{
    char address[VASSAL_ADDRESS_BYTES];
    int r = conf->fork_server ? find_general(conf, address, err) : 0;

    if (r < 0)
        return r;
    bool forks = conf->fork_server || conf->fork_server_attr;
    if (!forks && conf->fork_bases.n_items > 0)
        return errmsg_set(err, -EINVAL,
                          "vassal-fork-base: no vassal is forked from %s: say which ones are, with "
                          "emperor-use-fork-server or emperor-fork-server-attr",
                          conf->fork_bases.items[0]);
    if (forks && (conf->wrapper_override.n_items > 0 || conf->wrapper_fallback.n_items > 0))
        return errmsg_set(
            err, -EINVAL,
            "emperor-wrapper-%s chooses the program of each vassal, and what is forked "
            "from a base has the base's: use emperor-wrapper-attr for some",
            conf->wrapper_override.n_items > 0 ? "override" : "fallback");
    if (conf->start_hook && forks)
        return errmsg_set(err, -EINVAL,
                          "vassals-start-hook is run before the program of a vassal, and what is "
                          "forked from a base has none: use hook-as-emperor-before-vassal");
    return 0;
}

int vassal_base_find(const struct vassal *v, char ret[VASSAL_ADDRESS_BYTES], struct errmsg *err)
{
    const struct emperor_conf *c = v->realm->conf;
    const char *own = vassal_attribute(v, c->fork_server_attr);

    if (vassal_attribute(v, c->wrapper_attr) || strv_contains(&c->fork_bases, v->name))
        return 0;
    if (!own)
        return c->fork_server ? find_general(c, ret, err) : 0;
    if (*own == '\0')
        return 0;
    int r = normalise(own, v->monitor->directory, ret, err);
    return r < 0 ? errmsg_prefix(err, r, "%s", c->fork_server_attr) : 1;
}

/* Notes for which base it waits. */
static bool look_up(struct vassal *v)
{
    bool found = vassal_base_find(v, v->life.base, NULL) > 0;

    if (!found)
        v->life.base[0] = '\0';
    return found;
}

struct vassal *vassal_base_at(const struct vassal_realm *realm, const char *address)
{
    return hash_get(&realm->bases, address);
}

/* Why no vassals are forked from @v, whatever it says: what it is given of them, and what it makes
 * of it, would be its user's. NULL: they are. */
static const char *why_no_base(const struct vassal *v)
{
    const struct liege_list *names = &v->realm->conf->fork_bases;

    if (v->life.adopted)
        return "it was forked from one itself";
    if (names->n_items > 0 && !strv_contains(names, v->name))
        return "vassal-fork-base names others";
    return NULL;
}

static bool may_complain(struct vassal *v)
{
    return log_limit_allows(&v->complaints, clock_now_us());
}

static int put_offer(struct vassal *v, const char *address)
{
    (void)snprintf(v->offers, sizeof(v->offers), "%s", address);
    int r = hash_put(&v->realm->bases, v->offers, v);
    if (r < 0)
        v->offers[0] = '\0';
    return r;
}

void vassal_base_go_on(struct loop_task *t)
{
    struct vassal_realm *realm = container_of(t, struct vassal_realm, go_on);
    struct list *it = NULL;

    for (int i = 0; i < AT_ONCE && (it = list_first(&realm->woken)); i++) {
        struct vassal *v = container_of(it, struct vassal, awaits);
        list_remove(it);
        v->base_delay_us = 0;
        vassal_handle(v, VASSAL_BASE_CAME, "its base is there");
    }
    if (!list_empty(&realm->woken))
        loop_task_queue(realm->loop, t);
}

static void wake(struct vassal_realm *realm, const char *address)
{
    LIST_FOREACH (it, &realm->awaiting) {
        struct vassal *v = container_of(it, struct vassal, awaits);
        look_up(v); /* the folder of the socket may not have been there */
        if (strcmp(v->life.base, address) == 0) {
            list_remove(it);
            list_append(&realm->woken, it);
        }
    }
    loop_task_queue(realm->loop, &realm->go_on);
}

static void withdraw(struct vassal *v)
{
    if (!v->offers[0])
        return;
    (void)hash_remove(&v->realm->bases, v->offers);
    v->offers[0] = '\0';
    adoption_forget_base(v);
    LIST_FOREACH (it, &v->promised) {
        container_of(it, struct vassal, promise)->promised_by = NULL;
        list_remove(it);
    }
    list_remove(&v->has_room);
    v->n_asked = 0;
}

/* A process that only takes the place of one that has ended may have the same as that. */
static void count_generation(struct vassal *v, uint32_t generation)
{
    bool is_news = v->offers_generation != 0 && v->offers_generation != generation;

    v->offers_generation = generation;
    if (is_news || v->offers_serial == 0)
        v->offers_serial = ++v->realm->last_serial;
}

void vassal_base_offer(struct vassal *v, const char *address, uint32_t generation)
{
    char normal[VASSAL_ADDRESS_BYTES];
    struct errmsg err = {""};
    int r = normalise(address, vassal_launch(v).cwd, normal, &err);

    const char *why = r < 0 ? err.text : why_no_base(v);
    if (why) {
        if (may_complain(v))
            log_warning("vassal %s: says that it forks vassals, and is no base: %s", v->id, why);
        return;
    }
    if (generation == 0) {
        if (v->offers[0] && may_complain(v))
            log_info("vassal %s: forks no vassals now", v->id);
        withdraw(v);
        return;
    }
    struct vassal *other = vassal_base_at(v->realm, normal);
    if (other && other != v) {
        if (may_complain(v))
            log_warning("vassal %s: says that it forks vassals at %s, as vassal %s does", v->id,
                        normal, other->id);
        return;
    }
    if (other && v->offers_generation == generation)
        return; /* that is known */
    count_generation(v, generation);
    if (!other) {
        withdraw(v);
        r = put_offer(v, normal);
    }
    if (r < 0) {
        (void)log_errno(LOG_ERR, r, "vassal %s: cannot be a base", v->id);
        return;
    }
    if (may_complain(v))
        log_info("vassal %s: forks vassals at %s, from generation %u", v->id, normal, generation);
    wake(v->realm, normal);
    v->realm->on_base(v->realm);
}

void vassal_base_withdraw(struct vassal *v)
{
    withdraw(v);
    v->offers_generation = 0;
}

void vassal_base_restore(struct vassal *v)
{
    char address[VASSAL_ADDRESS_BYTES];
    uint32_t serial = MAX(v->offers_serial, v->life.base_serial);

    v->realm->last_serial = MAX(v->realm->last_serial, serial);
    if (!v->offers[0])
        return;
    memcpy(address, v->offers, sizeof(address));
    int r = vassal_runs(v) && !why_no_base(v) ? put_offer(v, address) : -ESRCH;
    if (r < 0)
        v->offers[0] = '\0';
}

bool vassal_base_holds(struct vassal *v, enum vassal_action action, char *text, size_t size)
{
    if (succession_holds(v, text, size))
        return true;
    if (!look_up(v))
        return false; /* what is wrong with it is said when it is started */
    const struct vassal *base = vassal_base_at(v->realm, v->life.base);
    bool may_ask = action != VASSAL_START || v->prepared || (base && v->promised_by == base);
    bool busy = base && !may_ask && base->n_asked >= v->realm->pace.limit;
    if (base && !busy)
        return false;
    (void)snprintf(text, size, "waits for its base at %s%s", v->life.base,
                   busy ? ", which is busy" : "");
    return true;
}

void vassal_base_has_room(struct vassal *base)
{
    struct vassal_realm *realm = base->realm;

    base->n_asked--;
    if (list_empty(&base->has_room))
        list_append(&realm->roomy, &base->has_room);
    loop_task_queue(realm->loop, &realm->give_room);
}

void vassal_base_give_back(struct vassal *v)
{
    if (!v->promised_by)
        return;
    list_remove(&v->promise);
    vassal_base_has_room(TAKE(v->promised_by, NULL));
}

/* Of those who wait for room in @base the first one: it is there, and they are not to ask it later.
 */
static struct vassal *first_of_busy(const struct vassal *base)
{
    LIST_FOREACH (it, &base->realm->awaiting) {
        struct vassal *v = container_of(it, struct vassal, awaits);
        if (strcmp(v->life.base, base->offers) == 0 && !loop_timer_is_set(&v->timer) &&
            !v->succession)
            return v;
    }
    return NULL;
}

/* One in a round, as turns are given. The room is its own until it asks, or does not want to any
 * more: whoever waits behind it hears of that. */
void vassal_base_give_room(struct loop_task *t)
{
    struct vassal_realm *realm = container_of(t, struct vassal_realm, give_room);
    struct list *first = list_first(&realm->roomy);

    if (!first)
        return;
    struct vassal *base = container_of(first, struct vassal, has_room);
    struct vassal *v = base->n_asked < realm->pace.limit ? first_of_busy(base) : NULL;
    if (v) {
        base->n_asked++;
        v->promised_by = base;
        list_append(&base->promised, &v->promise);
        vassal_handle(v, VASSAL_BASE_CAME, "its base is there");
    } else {
        list_remove(first);
    }
    if (!list_empty(&realm->roomy))
        loop_task_queue(realm->loop, t);
}

void vassal_base_reconsider(struct vassal *v)
{
    if (!list_empty(&v->awaits))
        vassal_handle(v, VASSAL_BASE_CAME, "its configuration changed");
}

const struct vassal *vassal_base_next(const struct vassal *v)
{
    char address[VASSAL_ADDRESS_BYTES];
    const struct vassal *base =
        vassal_base_find(v, address, NULL) > 0 ? vassal_base_at(v->realm, address) : NULL;

    return base != v ? base : NULL;
}

bool vassal_base_has_failed(const struct vassal *v)
{
    const struct vassal *base = vassal_base_next(v);

    return base && base->offers_serial == v->failed_serial;
}

static bool has_news(const struct vassal *base, const struct vassal *v)
{
    return !v->life.adopted || base->offers_serial != v->life.base_serial;
}

/* The base from which it is to be succeeded, or NULL. */
static const struct vassal *newer_base(const struct vassal *v)
{
    const struct vassal *base =
        vassal_runs(v) && !v->succeeds && v->zerg == 0 ? vassal_base_next(v) : NULL;

    if (!base || base->offers_serial == v->failed_serial)
        return NULL;
    return has_news(base, v) || (uint32_t)base->proc.pid != v->life.base_pid ? base : NULL;
}

bool vassal_base_is_newer(const struct vassal *v)
{
    return newer_base(v) != NULL;
}

bool vassal_base_needs_start(const struct vassal *v)
{
    bool gives_way = v->life.adopted || (v->life.generation > 0 && v->status.io.fd >= 0);

    return !gives_way && vassal_base_is_newer(v);
}

/* Of a base that was only started again it is not known whether there is anything new in it. */
void vassal_base_catch_up(struct vassal *v)
{
    if (v->state == VASSAL_RELOADING && !v->succession)
        return; /* when it has done that */
    const struct vassal *base = newer_base(v);
    if (!base || !has_news(base, v))
        return;
    bool same = strcmp(base->offers, v->life.base) == 0;
    vassal_handle(v, VASSAL_BASE_NEWER, "%s",
                  same ? "its base has a newer application" : "its base is another one now");
}

bool vassal_base_is_given_up(const struct vassal *v)
{
    char address[VASSAL_ADDRESS_BYTES];

    return vassal_lives(v) && v->life.adopted && vassal_base_find(v, address, NULL) == 0;
}
