/* SPDX-License-Identifier: MIT */
/* The meta options about the environment of the instance: env, ienv, unenv and folders of
 * variables.
 *
 * Nothing is set here: a load gathers what is to be set and removed, and of what was said about a
 * name the last counts. The early ones are seen by $(NAME) from where they stand on. Called by
 * meta.c by way of its table. */
#include "conf/meta-env.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "conf/envdir.h"
#include "conf/load.h"

int meta_refuse_pair(const struct conf_setting *s, const char *text, struct errmsg *err)
{
    struct shown shown;

    (void)errmsg_set(err, 0, "%s: '%s' is not NAME=VALUE", s->key, setting_shown(text, &shown));
    return setting_blame(s, -EINVAL, err);
}

/* Forgets what was said about the variable name[0 .. len). */
static void forget_env(struct liege_list *list, const char *name, size_t len)
{
    size_t kept = 0;

    for (size_t i = 0; i < list->n_items; i++) {
        char *item = list->items[i];
        if (strncmp(item, name, len) == 0 && (item[len] == '=' || item[len] == '\0'))
            free(item);
        else
            list->items[kept++] = item;
    }
    if (list->items)
        list->items[kept] = NULL;
    list->n_items = kept;
}

/* Sets *@ret to the length of NAME in @value, which is to be NAME=VALUE. */
static int env_name_length(struct loader *l, const struct conf_setting *s, const char *value,
                           size_t *ret)
{
    size_t len = strcspn(value, "=");

    if (len == 0 || value[len] != '=')
        return meta_refuse_pair(s, value, l->err);
    *ret = len;
    return 0;
}

int meta_env(struct loader *l, const struct conf_setting *s)
{
    size_t len = 0;
    int r = env_name_length(l, s, s->value, &len);

    if (r < 0)
        return r;
    forget_env(&l->conf->env, s->value, len);
    forget_env(&l->conf->unenv, s->value, len);
    return strv_append(&l->conf->env, s->value);
}

int meta_unenv(struct loader *l, const struct conf_setting *s)
{
    size_t len = strlen(s->value);
    struct shown shown;

    if (len == 0 || strchr(s->value, '=')) {
        (void)errmsg_set(l->err, 0, "unenv: '%s' is not a NAME", setting_shown(s->value, &shown));
        return setting_blame(s, -EINVAL, l->err);
    }
    forget_env(&l->conf->env, s->value, len);
    forget_env(&l->conf->unenv, s->value, len);
    return strv_append(&l->conf->unenv, s->value);
}

/* From now on $(NAME) sees it. It goes into the list as it is then, so that "PATH=/x:$(PATH)" does
 * not see itself, and becomes an `env` in the end. */
int meta_ienv(struct loader *l, const struct conf_setting *s)
{
    _cleanup_free_ char *value = NULL;
    struct trust trust = {0};
    size_t len = 0;
    int r = loader_expand(l, s, &value, &trust);

    if (r == 0)
        r = env_name_length(l, s, value, &len);
    if (r < 0)
        return r;
    l->ienv_trust = trust_weaker(l->ienv_trust, trust);
    forget_env(&l->ienv, value, len);
    r = strv_append(&l->ienv, value);
    if (r < 0)
        return r;

    struct conf_setting known = *s;
    known.value = value;
    known.trust = trust;
    return settings_append(&l->list, &known);
}

/* An envdir_fn: what a final one says goes into the environment of the instance. */
static int set_variable(void *userdata, const char *name, const char *value)
{
    struct conf *c = userdata;

    forget_env(&c->env, name, strlen(name));
    forget_env(&c->unenv, name, strlen(name));
    return value ? strv_appendf(&c->env, "%s=%s", name, value) : strv_append(&c->unenv, name);
}

int meta_envdir(struct loader *l, const struct conf_setting *s)
{
    int r = envdir_read(l->cwd, s->value, set_variable, l->conf, &(struct trust){0}, l->err);

    return r < 0 ? setting_blame(s, r, l->err) : 0;
}

/* An envdir_fn: from now on $(NAME) sees it. */
static int set_early_variable(void *userdata, const char *name, const char *value)
{
    struct liege_list *ienv = userdata;

    forget_env(ienv, name, strlen(name));
    return value ? strv_appendf(ienv, "%s=%s", name, value) : 0;
}

int meta_early_envdir(struct loader *l, const struct conf_setting *s)
{
    _cleanup_free_ char *folder = NULL;
    struct conf_setting known = *s;
    int r = loader_expand(l, s, &folder, NULL);

    if (r < 0)
        return r;
    r = envdir_read(l->cwd, folder, set_early_variable, &l->ienv, &l->ienv_trust, l->err);
    if (r < 0)
        return setting_blame(s, r, l->err);
    known.value = folder;
    return settings_append(&l->list, &known); /* it becomes an envdir in the end */
}
