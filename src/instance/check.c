/* SPDX-License-Identifier: MIT */
/* Asks the modules about the values of their options. Apart from registry.c because modules bring
 * libraries with them, and the program that only knows the rows, liege, is to be without those.
 * Called wherever a configuration is loaded to be run or checked. */
#include "instance/check.h"

#include <errno.h>
#include <string.h>

#include "conf/settings.h"
#include "instance/registry.h"
#include "static/check.h"

/* What only who serves requests, or has workers, can have. */
static const char *const not_for_base[] = {
    "http-socket", "https-socket", "socket",     "fastcgi-socket",     "scgi-socket",
    "zerg",        "zerg-server",  "zerg-pool",  "lazy-apps",          "cheaper",
    "idle",        "refork-after", "vassal-sos", "vassal-sos-backlog",
};

static int check_base(const char *option, struct errmsg *err)
{
    for (size_t i = 0; i < COUNT_OF(not_for_base); i++)
        if (strcmp(not_for_base[i], option) == 0)
            return errmsg_set(err, -EINVAL,
                              "%s is not for a base vassal (fork-server), which serves nobody: the "
                              "vassals that are forked from it have their own",
                              option);
    return 0;
}

/* Values that do not go together with others. */
static int check_together(const struct registry *r, const char *option, struct errmsg *err)
{
    if (r->instance.fork_server)
        return check_base(option, err);
    if (strcmp(option, "refork-after") == 0 && r->worker.refork_after != 0 && r->instance.lazy_apps)
        return errmsg_set(err, -EINVAL,
                          "refork-after needs a zygote, and with lazy-apps there is none");
    if (strcmp(option, "die-on-idle") == 0 && r->instance.die_on_idle && r->instance.idle_us == 0)
        return errmsg_set(
            err, -EINVAL,
            "die-on-idle says what happens after a time without requests: set idle to "
            "that time");
    return 0;
}

int instance_check(const struct registry *r, struct errmsg *err)
{
    const struct conf_table *table = NULL;

    if (r->conf.action >= CONF_DUMP_OPTIONS)
        return 0;
    for (size_t i = 0; i < r->conf.n_settings; i++) {
        const struct conf_setting *s = &r->conf.settings[i];
        const struct liege_option *o =
            s->placeholder ? NULL : conf_find_option(r->tables, r->n_tables, s->key, &table);
        int e = o && table->object == &r->statics ? static_check(o->name, s->value, err) : 0;
        if (e == 0 && o)
            e = check_together(r, o->name, err);
        if (e < 0)
            return setting_blame(s, e, err);
    }
    return 0;
}
