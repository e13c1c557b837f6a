/* SPDX-License-Identifier: MIT */
/* Gathers the options tables of everything that makes an instance: its own, the workers', the
 * applications' and the plugins'. A reload makes a second registry beside the first; which one
 * stays is decided when the new generation serves. */
#include "instance/registry.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/language.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/strv.h"
#include "instance/check.h"
#include "instance/size.h"

size_t instance_tables(struct conf_table *tables, size_t max)
{
    const struct conf_table own[] = {
        {"Instance", instance_options, instance_n_options, NULL},
        {"Workers", worker_options, worker_n_options, NULL},
        {"Static files", static_options, static_n_options, NULL},
        {"Applications", app_options, app_n_options, NULL},
    };
    size_t n = 0;

    assert(max >= COUNT_OF(own) + n_languages);
    for (; n < COUNT_OF(own); n++)
        tables[n] = own[n];
    for (size_t i = 0; i < n_languages; i++) {
        const struct liege_plugin_info *info = languages[i].info;
        tables[n++] = (struct conf_table){languages[i].title, info->options, info->n_options, NULL};
    }
    return n;
}

size_t instance_suffixes(struct conf_suffix *suffixes, size_t max)
{
    assert(max >= n_languages);
    for (size_t i = 0; i < n_languages; i++)
        suffixes[i] = (struct conf_suffix){
            .suffixes = languages[i].info->suffixes,
            .key = languages[i].file_option,
        };
    return n_languages;
}

bool instance_has_plugin(const char *name)
{
    return language_find(name) >= 0;
}

static int set_objects(struct registry *r)
{
    void *const own[] = {&r->instance, &r->worker, &r->statics, &r->app};
    size_t n = 0;

    r->n_tables = instance_tables(r->tables, COUNT_OF(r->tables));
    for (; n < COUNT_OF(own); n++)
        r->tables[n].object = own[n];
    for (size_t i = 0; i < n_languages; i++) {
        r->plugin_confs[i] = calloc(1, languages[i].info->conf_size);
        if (!r->plugin_confs[i])
            return -ENOMEM;
        r->tables[n++].object = r->plugin_confs[i];
    }
    return 0;
}

/* Finds out whose applications the settings name. */
static void find_wanted_plugins(struct registry *r)
{
    const struct conf_table *table = NULL;

    for (size_t i = 0; i < r->conf.n_settings; i++) {
        const struct liege_option *o =
            conf_find_option(r->tables, r->n_tables, r->conf.settings[i].key, &table);
        if (!o || !(o->flags & LIEGE_OPTION_APP))
            continue;
        for (size_t p = 0; p < n_languages; p++)
            if (table->object == r->plugin_confs[p])
                r->plugin_wanted[p] = true;
    }
}

const struct conf_setting *registry_find_setting(const struct registry *r, const char *name,
                                                 const char *value)
{
    for (size_t i = 0; i < r->conf.n_settings; i++) {
        const struct conf_setting *s = &r->conf.settings[i];
        const struct liege_option *o = conf_find_option(r->tables, r->n_tables, s->key, NULL);
        if (o && !s->placeholder && strcmp(o->name, name) == 0 && strcmp(s->value, value) == 0)
            return s;
    }
    return NULL;
}

bool registry_has_emperor(const struct registry *r)
{
    return conf_get(&r->conf, "emperor") != NULL;
}

/* Loads what @argv says into @r, with all else of @input, and checks it. */
static int load(struct registry *r, const struct registry_input *input, const char *const *argv,
                struct errmsg *err)
{
    struct conf_suffix suffixes[INSTANCE_MAX_PLUGINS];
    size_t n_suffixes = instance_suffixes(suffixes, COUNT_OF(suffixes));
    const struct conf_input in = {
        .argv = argv,
        .environ = input->environ,
        .tables = r->tables,
        .n_tables = r->n_tables,
        .suffixes = suffixes,
        .n_suffixes = n_suffixes,
        .has_plugin = instance_has_plugin,
        .is_reload = input->is_reload,
        .version = LIEGE_VERSION,
        .sources = input->sources,
        .receive = input->receive,
    };
    int e = conf_load(&in, &r->conf, err);
    if (e < 0 || r->conf.action >= CONF_DUMP_OPTIONS || registry_has_emperor(r))
        return e;
    e = conf_apply(&r->conf, r->tables, r->n_tables, input->warn, err);
    if (e != 0)
        return e;
    for (size_t i = 0; i < r->conf.prints.n_items; i++)
        log_info("%s", r->conf.prints.items[i]);
    find_wanted_plugins(r);
    struct instance_conf *c = &r->instance;
    if (c->daemonize && !c->logto) /* a log that can be rotated */
        c->logto = strdup(c->daemonize);
    if (c->daemonize && !c->logto)
        return errmsg_set(err, -ENOMEM, "out of memory");
    e = size_resolve(r, err);
    return e < 0 ? e : instance_check(r, err);
}

/* Loads the file that `fallback-config` names instead of what is wrong. */
static int load_fallback(struct registry *r, const struct registry_input *input, struct errmsg *err)
{
    _cleanup_free_ char *file = TAKE_PTR(r->conf.fallback);
    const char *const instead[] = {input->argv[0], "--config", file, NULL};

    log_error("%s", err->text);
    log_warning("the configuration is wrong: %s takes its place", file);
    conf_release(r->tables, r->n_tables);
    conf_done(&r->conf);
    memset(r->why_workers, 0, sizeof(r->why_workers));
    memset(r->plugin_wanted, 0, sizeof(r->plugin_wanted));
    return load(r, input, instead, err);
}

int registry_load(const struct registry_input *input, struct registry **ret, struct errmsg *err)
{
    struct registry *r = calloc(1, sizeof(*r));

    *ret = r;
    if (!r || set_objects(r) < 0)
        return errmsg_set(err, -ENOMEM, "out of memory");
    int e = load(r, input, input->argv, err);
    if (e < 0 && !input->is_reload && r->conf.fallback && r->conf.action == CONF_RUN)
        e = load_fallback(r, input, err);
    return e;
}

struct registry *registry_free(struct registry *r)
{
    if (!r)
        return NULL;
    conf_release(r->tables, r->n_tables);
    for (size_t i = 0; i < COUNT_OF(r->plugin_confs); i++)
        free(r->plugin_confs[i]);
    conf_done(&r->conf);
    free(r);
    return NULL;
}

static bool is_same(const struct liege_option *o, const struct instance_conf *a,
                    const struct instance_conf *b)
{
    const void *x = (const char *)a + o->offset, *y = (const char *)b + o->offset;

    assert(o->type == LIEGE_OPTION_STRING || o->type == LIEGE_OPTION_LIST);
    if (o->type == LIEGE_OPTION_LIST)
        return strv_equal(x, y);
    const char *s = *(char *const *)x, *t = *(char *const *)y;
    return s && t ? strcmp(s, t) == 0 : s == t;
}

/* What an option says, as one text: the items of a list are joined. */
static int text_of(const struct liege_option *o, const struct instance_conf *c, struct buf *ret)
{
    const void *field = (const char *)c + o->offset;
    const struct liege_list *list = field;
    const char *const *text = field;

    if (o->type != LIEGE_OPTION_LIST)
        return buf_printf(ret, "%s", *text ? *text : "");
    int r = buf_printf(ret, "%s", list->n_items > 0 ? list->items[0] : "");
    for (size_t i = 1; r == 0 && i < list->n_items; i++)
        r = buf_printf(ret, ", %s", list->items[i]);
    return r;
}

static int check_same(const struct liege_option *o, const struct registry *old,
                      const struct registry *new, struct errmsg *err)
{
    _cleanup_(buf_done) struct buf a = {0}, b = {0};

    if (is_same(o, &old->instance, &new->instance))
        return 0;
    if (text_of(o, &old->instance, &a) < 0 || text_of(o, &new->instance, &b) < 0 ||
        buf_append(&a, "", 1) < 0 || buf_append(&b, "", 1) < 0)
        return errmsg_set(err, -ENOMEM, "out of memory");
    return errmsg_set(err, -EBUSY, "%s changed from '%s' to '%s': that needs a stop and a start",
                      o->name, buf_at(&a), buf_at(&b));
}

int registry_check_reload(const struct registry *old, const struct registry *new,
                          struct errmsg *err)
{
    for (size_t i = 0; i < instance_n_options; i++) {
        const struct liege_option *o = &instance_options[i];
        int r = o->flags & LIEGE_OPTION_RESTART ? check_same(o, old, new, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}
