/* SPDX-License-Identifier: MIT */
/* A load from beginning to end: environment, command line, the files they name, what these inherit,
 * expansion. The result is one ordered list without meta options; apply.c puts it into structures.
 *
 * Nothing outside the result changes, so that a running instance can load its configuration anew
 * and throw the result away. */
#include "conf/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "conf/cmdline.h"
#include "conf/environment.h"
#include "conf/load.h"

void conf_done(struct conf *c)
{
    for (size_t i = 0; i < c->n_settings; i++)
        setting_done(&c->settings[i]);
    free(c->settings);
    strv_done(&c->files);
    strv_done(&c->env);
    strv_done(&c->unenv);
    strv_done(&c->warnings);
    strv_done(&c->prints);
    free(c->get);
    free(c->fallback);
    free(c->name);
    *c = (struct conf){0};
}

static int load_into(const struct conf_input *in, struct conf *conf, struct errmsg *err)
{
    _cleanup_(loader_done) struct loader l;
    int r = loader_init(&l, in, conf, err);

    if (r == 0)
        r = environment_read(&l);
    if (r == 0)
        r = logic_leave(&l, 0);
    if (r == 0)
        r = cmdline_read(&l);
    if (r == 0)
        r = logic_leave(&l, 0);
    if (r == 0)
        r = loader_finish(&l);
    if (r == 0 && !conf->name) {
        conf->name = strdup("");
        r = conf->name ? 0 : -ENOMEM;
    }
    if (r < 0)
        return r;

    conf->n_settings = TAKE(l.list.n_items, 0);
    conf->settings = TAKE_PTR(l.list.items);
    for (size_t i = 0; i < conf->n_settings; i++) {
        struct conf_setting *s = &conf->settings[i];
        if (!s->placeholder)
            s->option = conf_find_option(in->tables, in->n_tables, s->key, NULL);
    }
    return 0;
}

int conf_load(const struct conf_input *in, struct conf *ret, struct errmsg *err)
{
    _cleanup_(conf_done) struct conf conf = {0};

    *ret = (struct conf){0};
    (void)errmsg_set(err, 0, "%s", "");
    int r = load_into(in, &conf, err);
    if (r == -ECANCELED && conf.action == CONF_EXIT)
        r = 0;
    if (r < 0 && !cmdline_asks(in))
        ret->fallback = TAKE_PTR(conf.fallback);
    if (r == -ENOMEM)
        return errmsg_set(err, r, "out of memory");
    if (r < 0)
        return r;
    *ret = TAKE(conf, (struct conf){0});
    return 0;
}

const char *conf_get(const struct conf *c, const char *key)
{
    for (size_t i = c->n_settings; i > 0; i--) {
        const struct conf_setting *s = &c->settings[i - 1];
        if (s->placeholder)
            continue;
        if (strcmp(s->key, key) == 0 || (s->option && option_has_name(s->option, key)))
            return s->value;
    }
    return NULL;
}
