/* SPDX-License-Identifier: MIT */
/* From the list of settings to the modules' structures, and back to nothing.
 *
 * Here a key meets its row: a bad value, an option that only uWSGI has, or, under `strict`, a key
 * that nothing knows ends it with file and line; without `strict` such a key is a warning. Called
 * by the command line for --check, by instances when they start and reload, and by the Emperor. */
#include <errno.h>

#include "base/strv.h"
#include "conf/conf.h"
#include "conf/lookup.h"
#include "conf/option.h"
#include "conf/settings.h"
#include "conf/uwsgi-names.h"

#define UNKNOWN_MAX 100 /* warnings: a loop may say a name 100000 times */

/* What is applied, to what. */
struct applying {
    const struct conf *conf;
    struct lookup lookup;
    conf_warn_fn *warn;
    unsigned n_unknown; /* options that were warned about */
    struct errmsg *err;
};

typedef int row_fn(const struct liege_option *row, void *object, struct errmsg *err);

/* Calls @fn for each row whose value has a place. */
static int each_row(const struct conf_table *tables, size_t n_tables, row_fn *fn,
                    struct errmsg *err)
{
    for (size_t t = 0; t < n_tables; t++)
        for (size_t i = 0; tables[t].object && i < tables[t].n_options; i++) {
            int r = fn(&tables[t].options[i], tables[t].object, err);
            if (r < 0)
                return r;
        }
    return 0;
}

static int set_default(const struct liege_option *row, void *object, struct errmsg *err)
{
    if (!row->dflt || row->type == LIEGE_OPTION_LIST)
        return 0;

    int r = option_set(row, object, row->dflt, err);
    return r < 0 ? errmsg_prefix(err, r, "the default") : 0;
}

/* A list's default is for when nothing was said: otherwise it could not be replaced. */
static int set_list_default(const struct liege_option *row, void *object, struct errmsg *err)
{
    if (!row->dflt || row->type != LIEGE_OPTION_LIST)
        return 0;

    const struct liege_list *list = (const void *)((const char *)object + row->offset);
    return list->n_items > 0 ? 0 : option_set(row, object, row->dflt, err);
}

static int clear(const struct liege_option *row, void *object, struct errmsg *err)
{
    (void)err;
    option_clear(row, object);
    return 0;
}

/* Nothing in the tables is called as @s is. */
static int apply_unknown(struct applying *a, const struct conf_setting *s)
{
    struct errmsg text = {""};
    char hint[128];
    struct shown shown;
    const char *key = setting_shown(s->key, &shown);

    if (uwsgi_has_option(s->key)) {
        (void)errmsg_set(a->err, 0,
                         "'%s' is an option of uWSGI that liege does not have: remove it, or write "
                         "'set-ph = %s=...' if it is only a variable",
                         key, key);
        return setting_blame(s, -ENOTSUP, a->err);
    }
    if (s->referenced || a->n_unknown > UNKNOWN_MAX)
        return 0;
    if (a->n_unknown++ == UNKNOWN_MAX)
        (void)errmsg_set(&text, 0, "more unknown options follow, which are not named");
    else
        (void)errmsg_set(&text, 0, "unknown option '%s'%s", key,
                         lookup_suggest(&a->lookup, "", s->key, hint, sizeof(hint)));
    (void)setting_blame(s, 0, &text);
    if (a->conf->strict)
        return errmsg_set(a->err, -EINVAL, "%s", text.text);
    a->warn(text.text);
    return 0;
}

static int apply_setting(struct applying *a, const struct conf_setting *s)
{
    const struct conf_table *table = NULL;
    const struct liege_option *row =
        conf_find_option(a->lookup.tables, a->lookup.n_tables, s->key, &table);

    if (s->placeholder)
        return 0;
    if (!row)
        return apply_unknown(a, s);

    int r = option_set(row, table->object, s->value, a->err);
    return r < 0 ? setting_blame(s, r, a->err) : 0;
}

int conf_apply(const struct conf *c, const struct conf_table *tables, size_t n_tables,
               conf_warn_fn *warn, struct errmsg *err)
{
    struct applying a = {.conf = c, .lookup = {tables, n_tables}, .warn = warn, .err = err};
    int r = each_row(tables, n_tables, set_default, err);

    for (size_t i = 0; i < c->warnings.n_items; i++)
        warn(c->warnings.items[i]);
    for (size_t i = 0; r == 0 && i < c->n_settings; i++)
        r = apply_setting(&a, &c->settings[i]);
    if (r == 0)
        r = each_row(tables, n_tables, set_list_default, err);
    return r == -ENOMEM ? errmsg_set(err, r, "out of memory") : r;
}

void conf_release(const struct conf_table *tables, size_t n_tables)
{
    (void)!each_row(tables, n_tables, clear, NULL); /* cannot fail */
}
