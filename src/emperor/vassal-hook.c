/* SPDX-License-Identifier: MIT */
/* Hooks of one kind run one after the other in one child; the first that fails is the last. The two
 * older options, vassals-start-hook and vassals-stop-hook, are commands that get the vassal's name
 * as an argument. Used by vassal.c, court.c and launch.c. */
#include "emperor/vassal-hook.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hook.h"
#include "base/log.h"
#include "base/strv.h"
#include "emperor/job.h"
#include "loop/errand.h"

#define LIMIT_US (30 * US_PER_SEC)

/* clang-format off */
static const struct {
    const char *option;
    size_t offset; /* of its struct liege_list in struct emperor_conf */
    bool may_fail; /* nothing comes of it */
} kinds[] = {
    [VASSAL_HOOK_BEFORE]  = { "hook-as-emperor-before-vassal", offsetof(struct emperor_conf, hooks_before), false },
    [VASSAL_HOOK_STARTED] = { "hook-as-emperor", offsetof(struct emperor_conf, hooks_started), true },
    [VASSAL_HOOK_ASLEEP]  = { "hook-as-on-demand-vassal", offsetof(struct emperor_conf, hooks_asleep), false },
    [VASSAL_HOOK_CHANGED] = { "hook-as-on-config-vassal", offsetof(struct emperor_conf, hooks_changed), false },
};
/* clang-format on */
static_assert(COUNT_OF(kinds) == VASSAL_HOOK_COUNT, "one row for each kind");

struct vassal_hook {
    struct list link;      /* of its vassal */
    struct vassal *vassal; /* NULL: not interested any more */
    struct vassal_realm *realm;
    enum vassal_hook_kind kind;
    struct errand errand;
    char pid_key[12];
};

static const struct liege_list *find_list(const struct vassal *v, enum vassal_hook_kind kind)
{
    const void *list = (const char *)v->realm->conf + kinds[kind].offset;

    return list;
}

bool vassal_hook_exists(const struct vassal *v, enum vassal_hook_kind kind)
{
    return find_list(v, kind)->n_items > 0;
}

static int set_variable(const char *name, const char *fmt, ...) _printf_(2, 3);

static int set_variable(const char *name, const char *fmt, ...)
{
    char value[4096];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(value, sizeof(value), fmt, ap);
    va_end(ap);
    return setenv(name, value, true) < 0 ? -errno : 0;
}

static int set_environment(const struct vassal *v)
{
    int r = set_variable("UWSGI_VASSAL_CONFIG", "%s", v->name);

    if (r == 0)
        r = set_variable("UWSGI_HOOK_CONTEXT", "%s", v->name);
    if (r == 0)
        r = set_variable("UWSGI_VASSALS_DIR", "%s", v->monitor->directory);
    if (r == 0)
        r = set_variable("UWSGI_VASSAL_PID", "%d", (int)v->proc.pid);
    if (r == 0)
        r = set_variable("UWSGI_VASSAL_UID", "%u", v->uid);
    return r < 0 ? r : set_variable("UWSGI_VASSAL_GID", "%u", v->gid);
}

/* In the child. */
static int work(const void *data)
{
    const struct vassal_hook *h = data;
    const struct liege_list *list = find_list(h->vassal, h->kind);
    const char *option = kinds[h->kind].option;

    log_set_writer(NULL, NULL);
    if (set_environment(h->vassal) < 0)
        return EXIT_FAILURE;
    for (size_t i = 0; i < list->n_items; i++) {
        struct errmsg err = {""};
        char shown[256];
        int r = hook_do(list->items[i], &err);
        if (r != 0)
            (void)log_full(r < 0 ? LOG_ERR : LOG_WARNING, 0, "vassal %s: %s: %s: %s", h->vassal->id,
                           option, hook_show(list->items[i], shown, sizeof(shown)), err.text);
        if (r < 0)
            return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

static void hook_free(struct vassal_hook *h)
{
    (void)hash_remove(&h->realm->by_pid, h->pid_key);
    errand_stop(&h->errand);
    list_remove(&h->link);
    free(h);
}

/* What follows for the vassal. */
static void go_on(struct vassal *v, enum vassal_hook_kind kind, bool ok, const char *how)
{
    bool waits =
        kind == VASSAL_HOOK_BEFORE ? v->state == VASSAL_WAITING : v->state == VASSAL_ASLEEP;

    if (!waits || kinds[kind].may_fail)
        return;
    if (!ok)
        vassal_handle(v, VASSAL_FAILED, "%s %s", kinds[kind].option, how);
    else if (kind == VASSAL_HOOK_BEFORE)
        vassal_handle(v, VASSAL_TURN, "%s", v->reason);
}

static void on_end(void *data, const siginfo_t *end)
{
    struct vassal_hook *h = data;
    struct vassal *v = h->vassal;
    enum vassal_hook_kind kind = h->kind;
    struct vassal_realm *realm = h->realm;
    bool ok = end->si_code == CLD_EXITED && end->si_status == EXIT_SUCCESS;
    char how[96];

    (void)proc_describe_end(end, how, sizeof(how));
    hook_free(h);
    if (v)
        go_on(v, kind, ok, how);
    else
        realm->n_last_hooks--;
    realm->on_end(realm);
}

static int start(struct vassal *v, enum vassal_hook_kind kind)
{
    struct vassal_hook *h = calloc(1, sizeof(*h));

    if (!h)
        return -ENOMEM;
    *h = (struct vassal_hook){.vassal = v, .realm = v->realm, .kind = kind};
    list_append(&v->hooks, &h->link);
    errand_init(&h->errand, on_end, h);
    int r = errand_start(&h->errand, v->realm->loop, work, h, LIMIT_US);
    if (r == 0) {
        (void)snprintf(h->pid_key, sizeof(h->pid_key), "%d", (int)h->errand.child.proc.pid);
        r = hash_put(&v->realm->by_pid, h->pid_key, h);
    }
    if (r < 0)
        hook_free(h);
    return r;
}

void vassal_hook_run(struct vassal *v, enum vassal_hook_kind kind)
{
    int r = vassal_hook_exists(v, kind) ? start(v, kind) : 0;

    if (r == 0)
        return;
    (void)log_errno(LOG_ERR, r, "vassal %s: %s: cannot be run", v->id, kinds[kind].option);
    go_on(v, kind, false, "could not be run");
}

void vassal_hook_forget(struct vassal *v)
{
    LIST_FOREACH (it, &v->hooks) {
        struct vassal_hook *h = container_of(it, struct vassal_hook, link);

        if (h->kind == VASSAL_HOOK_BEFORE) {
            hook_free(h); /* reaped as an orphan */
        } else {
            h->vassal = NULL;
            h->realm->n_last_hooks++;
            list_remove(it);
        }
    }
}

/* The hook has none of the vassal's descriptors but the standard ones. */
int vassal_hook_wrap(const char *command, const char *name, struct liege_list *argv)
{
    static const char tail[] = " \"$1\") 3>&- 4>&- 5>&- || echo \"vassals-start-hook exited with "
                               "code $?\" >&2; shift; exec \"$@\"";
    struct liege_list wrapped = {0};
    int r = strv_append(&wrapped, "/bin/sh");

    if (r == 0)
        r = strv_append(&wrapped, "-c");
    if (r == 0)
        r = strv_appendf(&wrapped, "(%s%s", command, tail);
    if (r == 0)
        r = strv_append(&wrapped, "sh");
    if (r == 0)
        r = strv_append(&wrapped, name);
    if (r == 0)
        r = strv_join(&wrapped, argv);
    if (r < 0) {
        strv_done(&wrapped);
        return r;
    }
    strv_done(argv);
    *argv = wrapped;
    return 0;
}

static void on_stopped(void *data, const struct job_end *end)
{
    struct vassal_realm *realm = data;

    (void)end;
    realm->n_last_hooks--;
    realm->on_end(realm);
}

void vassal_hook_stopped(const struct vassal *v)
{
    const char *command = v->realm->conf->stop_hook;
    _cleanup_free_ char *script = NULL, *directory = NULL;
    _cleanup_(strv_done) struct liege_list env = {0};

    if (!command)
        return;
    if (asprintf(&script, "%s \"$1\"", command) < 0)
        script = NULL;
    int r = script ? strv_copy(&env, v->realm->environ) : -ENOMEM;
    if (r == 0)
        r = strv_appendf(&env, "UWSGI_VASSALS_DIR=%s", v->monitor->directory);
    const char *const argv[] = {"/bin/sh", "-c", script, "sh", v->name, NULL};
    const struct job_start start = {
        .loop = v->realm->loop,
        .by_pid = &v->realm->by_pid,
        .argv = argv,
        .environ = (const char *const *)env.items,
        .cwd = v->monitor->directory,
        .limit_us = LIMIT_US,
        .fn = on_stopped,
        .data = v->realm,
    };
    if (r == 0)
        r = job_new(&start, NULL);
    if (r == 0)
        v->realm->n_last_hooks++;
    else
        (void)log_errno(LOG_ERR, r, "vassal %s: vassals-stop-hook cannot be run", v->id);
}
