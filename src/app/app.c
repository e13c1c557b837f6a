/* SPDX-License-Identifier: MIT */
/* Loading applications through their plugins, and finding the one that a request is for. The order
 * in which a language meets its options is the same in a process that starts it and in one that has
 * inherited it: early options, preparations, applications. */
#include "app/app.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/language.h"
#include "app/plugin.h"
#include "base/malloc-heap.h"
#include "conf/conf.h"

static int fail(int r, const struct liege_error *why, struct errmsg *err)
{
    (void)errmsg_set(err, r, "%s", why->text);
    return r;
}

/* Opens and starts a language, once. Returns 1 if it did, 0 if it had. */
static int start_language(struct apps *a, const struct apps_input *in, int known,
                          const struct liege_plugin **ret, struct errmsg *err)
{
    const struct liege_plugin_info *info = languages[known].info;
    struct liege_error why = {""};

    for (size_t i = 0; i < a->n_plugins; i++)
        if (strcmp(a->plugins[i]->name, info->name) == 0) {
            *ret = a->plugins[i];
            return 0;
        }
    assert(a->n_plugins < COUNT_OF(a->plugins));

    const struct liege_plugin *plugin = NULL;
    int r = plugin_open(info, &plugin, err);
    if (r < 0)
        return r;
    r = plugin->start(in->host, in->plugin_confs[known], &why);
    if (r < 0)
        return fail(r, &why, err);
    a->plugins[a->n_plugins++] = plugin;
    *ret = plugin;
    return 1;
}

static int prepare(const struct liege_plugin *plugin, struct errmsg *err)
{
    struct liege_error why = {""};
    int r = plugin->prepare ? plugin->prepare(&why) : 0;

    return r < 0 ? fail(r, &why, err) : 0;
}

/* Makes a language ready to load applications. */
static int enter_language(struct apps *a, const struct apps_input *in, int known,
                          const struct liege_plugin **ret, struct errmsg *err)
{
    int r = start_language(a, in, known, ret, err);

    return r > 0 ? prepare(*ret, err) : r;
}

/* Does what an early option of a language says; notes the application in *@first, if that is the
 * first one. */
static int act_early(struct apps *a, const struct apps_input *in, int known, const char *option,
                     const char *value, struct app_mount *first, struct errmsg *err)
{
    const struct liege_plugin *plugin = NULL;
    struct liege_error why = {""};
    void *app = NULL;
    int r = start_language(a, in, known, &plugin, err);

    if (r < 0)
        return r;
    r = plugin->early ? plugin->early(option, value, &app, &why) : 0;
    if (r < 0)
        return fail(r, &why, err);
    if (app && !first->plugin)
        *first = (struct app_mount){.plugin = plugin, .app = app};
    return 0;
}

/* A flag may have been set to "no". */
static bool is_off(const struct liege_option *o, const void *conf)
{
    const void *field = (const char *)conf + o->offset;

    return o->type == LIEGE_OPTION_FLAG && !*(const bool *)field;
}

/* Those of all languages, in the order in which they are set. */
static int act_on_early_options(struct apps *a, const struct apps_input *in, struct errmsg *err)
{
    struct conf_table tables[COUNT_OF(a->plugins)];
    struct app_mount first = {.plugin = NULL};
    int r = 0;

    assert(n_languages <= COUNT_OF(tables));
    for (size_t i = 0; i < n_languages; i++)
        tables[i] = (struct conf_table){languages[i].title, languages[i].info->options,
                                        languages[i].info->n_options, NULL};
    for (size_t i = 0; r == 0 && i < in->host->n_settings; i++) {
        const struct liege_setting *s = &in->host->settings[i];
        const struct conf_table *table = NULL;
        const struct liege_option *o = conf_find_option(tables, n_languages, s->key, &table);

        if (!o || !(o->flags & LIEGE_OPTION_EARLY) || is_off(o, in->plugin_confs[table - tables]))
            continue;
        r = act_early(a, in, (int)(table - tables), o->name, s->value, &first, err);
    }
    if (first.plugin)
        a->early = first;
    return r;
}

/* Adds a mount, keeping the longest prefix first. Takes @prefix over, also when it fails. */
static int add_mount(struct apps *a, char *prefix, const struct liege_plugin *plugin, void *app,
                     struct errmsg *err)
{
    struct app_mount *mounts =
        prefix ? realloc(a->mounts, (a->n_mounts + 1) * sizeof(*mounts)) : NULL;

    if (!mounts) {
        free(prefix);
        return errmsg_set(err, -ENOMEM, "out of memory");
    }
    a->mounts = mounts;

    size_t len = strlen(prefix), at = 0;
    while (at < a->n_mounts && mounts[at].prefix_len >= len)
        at++;
    memmove(&mounts[at + 1], &mounts[at], (a->n_mounts - at) * sizeof(*mounts));
    mounts[at] =
        (struct app_mount){.prefix = prefix, .prefix_len = len, .plugin = plugin, .app = app};
    a->n_mounts++;
    return 0;
}

static int load_app(struct apps *a, const struct apps_input *in, int known, const char *source,
                    const char *prefix, struct errmsg *err)
{
    const struct liege_plugin *plugin = NULL;
    struct liege_error why = {""};
    void *app = NULL;

    for (size_t i = 0; i < a->n_mounts; i++)
        if (strcmp(a->mounts[i].prefix, prefix) == 0)
            return errmsg_set(err, -EEXIST, "two applications are set for %s",
                              *prefix ? prefix : "/");
    int r = enter_language(a, in, known, &plugin, err);
    if (r < 0)
        return r;
    r = plugin->load(source, &app, &why);
    if (r < 0)
        return fail(r, &why, err);
    return add_mount(a, strdup(prefix), plugin, app, err);
}

/* Loads one "/prefix=SOURCE". */
static int load_mount(struct apps *a, const struct apps_input *in, const char *text,
                      struct errmsg *err)
{
    const char *equals = strchr(text, '=');

    if (text[0] != '/' || !equals || equals[1] == '\0')
        return errmsg_set(err, -EINVAL, "mount: '%s' is not /PREFIX=SOURCE", text);
    size_t len = (size_t)(equals - text);
    while (len > 0 && text[len - 1] == '/')
        len--;
    char *prefix = strndup(text, len);
    if (!prefix)
        return errmsg_set(err, -ENOMEM, "out of memory");
    int r = load_app(a, in, language_for_source(equals + 1), equals + 1, prefix, err);
    free(prefix);
    return r;
}

static int start_named_languages(struct apps *a, const struct apps_input *in, struct errmsg *err)
{
    for (size_t i = 0; i < in->conf->plugins.n_items; i++) {
        const struct liege_plugin *plugin = NULL;
        const char *name = in->conf->plugins.items[i];
        int known = language_find(name);
        if (known < 0)
            return errmsg_set(err, known, "plugin: there is no plugin '%s'", name);
        int r = enter_language(a, in, known, &plugin, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int need_app(const struct apps *a, const struct apps_input *in, struct errmsg *err)
{
    if (a->n_mounts > 0 || !in->conf->need_app || in->is_base)
        return 0;
    return errmsg_set(
        err, -ENOENT,
        "there is no application: set module, wsgi-file, psgi or mount (or need-app = "
        "no)");
}

int apps_load(struct apps *a, const struct apps_input *in, struct errmsg *err)
{
    int r = act_on_early_options(a, in, err);

    for (size_t i = 0; r == 0 && i < a->n_plugins; i++)
        r = prepare(a->plugins[i], err);
    if (r == 0)
        r = start_named_languages(a, in, err);
    for (size_t i = 0; r == 0 && i < n_languages; i++)
        if (in->plugin_wanted[i])
            r = load_app(a, in, (int)i, NULL, "", err);
    for (size_t i = 0; r == 0 && i < in->conf->mounts.n_items; i++)
        r = load_mount(a, in, in->conf->mounts.items[i], err);
    if (r == 0 && a->n_mounts == 0 && a->early.plugin)
        r = add_mount(a, strdup(""), a->early.plugin, a->early.app, err);
    return r == 0 ? need_app(a, in, err) : r;
}

static int adopt_language(const struct liege_plugin *plugin, const struct apps_input *in,
                          struct errmsg *err)
{
    struct liege_error why = {""};
    size_t known = 0;

    while (strcmp(languages[known].info->name, plugin->name) != 0)
        known++; /* a started one is known */
    if (!plugin->adopt)
        return errmsg_set(err, -EBUSY, "%s cannot be taken over from another instance",
                          languages[known].title);
    int r = plugin->adopt(in->host, in->plugin_confs[known], &why);
    return r < 0 ? fail(r, &why, err) : 0;
}

int apps_adopt(struct apps *a, const struct apps_input *in, struct errmsg *err)
{
    for (size_t i = 0; i < a->n_mounts; i++)
        free(a->mounts[i].prefix);
    a->n_mounts = 0;
    for (size_t i = 0; i < a->n_plugins; i++) {
        int r = adopt_language(a->plugins[i], in, err);
        if (r < 0)
            return r;
    }
    return apps_load(a, in, err);
}

void apps_settle(const struct apps *a)
{
    bool loaded = false;

    for (size_t i = 0; i < a->n_plugins; i++)
        if (a->plugins[i]->settle && a->plugins[i]->settle())
            loaded = true;
    if (loaded)
        malloc_close_gaps();
}

const struct app_mount *apps_route(const struct apps *a, const char *path, size_t len)
{
    for (size_t i = 0; i < a->n_mounts; i++) {
        const struct app_mount *m = &a->mounts[i];
        if (m->prefix_len <= len && memcmp(m->prefix, path, m->prefix_len) == 0 &&
            (m->prefix_len == 0 || m->prefix_len == len || path[m->prefix_len] == '/'))
            return m;
    }
    return NULL;
}

bool apps_describe_thread(const struct apps *a, pid_t tid, char *text, size_t size)
{
    for (size_t i = 0; i < a->n_plugins; i++)
        if (a->plugins[i]->describe_thread && a->plugins[i]->describe_thread(tid, text, size))
            return true;
    return false;
}

bool apps_describe_fd(const struct apps *a, int fd, char *text, size_t size)
{
    for (size_t i = 0; i < a->n_plugins; i++)
        if (a->plugins[i]->describe_fd && a->plugins[i]->describe_fd(fd, text, size))
            return true;
    return false;
}

bool apps_sources(const struct apps *a, void (*add)(void *data, const char *path), void *data)
{
    bool wanted = false;

    for (size_t i = 0; i < a->n_plugins; i++)
        if (a->plugins[i]->sources && a->plugins[i]->sources(add, data))
            wanted = true;
    return wanted;
}

void apps_before_fork(const struct apps *a)
{
    for (size_t i = 0; i < a->n_plugins; i++)
        if (a->plugins[i]->before_fork)
            a->plugins[i]->before_fork();
}

void apps_after_fork_parent(const struct apps *a)
{
    for (size_t i = a->n_plugins; i-- > 0;)
        if (a->plugins[i]->after_fork_parent)
            a->plugins[i]->after_fork_parent();
}

void apps_after_fork_child(const struct apps *a)
{
    for (size_t i = a->n_plugins; i-- > 0;)
        if (a->plugins[i]->after_fork_child)
            a->plugins[i]->after_fork_child();
}

int apps_zygote_start(const struct apps *a, struct errmsg *err)
{
    for (size_t i = 0; i < a->n_plugins; i++) {
        struct liege_error why = {""};
        int r = a->plugins[i]->zygote_start ? a->plugins[i]->zygote_start(&why) : 0;
        if (r < 0)
            return fail(r, &why, err);
    }
    return 0;
}

int apps_worker_start(const struct apps *a, struct errmsg *err)
{
    for (size_t i = 0; i < a->n_plugins; i++) {
        struct liege_error why = {""};
        int r = a->plugins[i]->worker_start ? a->plugins[i]->worker_start(&why) : 0;
        if (r < 0)
            return fail(r, &why, err);
    }
    return 0;
}

void apps_wait_begin(const struct apps *a)
{
    for (size_t i = 0; i < a->n_plugins; i++)
        if (a->plugins[i]->wait_begin)
            a->plugins[i]->wait_begin();
}

void apps_wait_end(const struct apps *a)
{
    for (size_t i = a->n_plugins; i-- > 0;)
        if (a->plugins[i]->wait_end)
            a->plugins[i]->wait_end();
}

void apps_dump(const struct apps *a, int fd)
{
    for (size_t i = 0; i < a->n_plugins; i++)
        if (a->plugins[i]->dump)
            a->plugins[i]->dump(fd);
}

void apps_stop(const struct apps *a)
{
    for (size_t i = a->n_plugins; i-- > 0;)
        if (a->plugins[i]->stop)
            a->plugins[i]->stop();
}
