/* SPDX-License-Identifier: MIT */
#include "instance/size.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "conf/settings.h"
#include "instance/registry.h"
#include "worker/scoreboard.h"

/* "auto": (2 x processors) + 1, as gunicorn advises: one of two workers reads or writes while the
 * other one works. */
static void count_workers(struct registry *r)
{
    struct cpu_limits cpus;
    char text[128];

    if (r->instance.processes != 0)
        return;
    cpu_limits_get("", &cpus);
    r->instance.processes = MIN(2ULL * cpus.n + 1, (unsigned long long)SCOREBOARD_MAX_WORKERS);
    (void)snprintf(
        r->why_workers, sizeof(r->why_workers), "processes = auto: %llu workers, twice %s and one",
        (unsigned long long)r->instance.processes, cpu_limits_describe(&cpus, text, sizeof(text)));
}

/* The last mention of the option @name. */
static const struct conf_setting *find_setting(const struct registry *r, const char *name)
{
    const struct conf_setting *found = NULL;

    for (size_t i = 0; i < r->conf.n_settings; i++) {
        const struct conf_setting *s = &r->conf.settings[i];
        const struct liege_option *o = conf_find_option(r->tables, r->n_tables, s->key, NULL);
        if (o && !s->placeholder && strcmp(o->name, name) == 0)
            found = s;
    }
    return found;
}

static int refuse(const struct registry *r, const char *name, uint64_t value, const char *than,
                  uint64_t limit, struct errmsg *err)
{
    int e = errmsg_set(err, -EINVAL, "%s: %llu is %s = %llu", name, (unsigned long long)value, than,
                       (unsigned long long)limit);
    const struct conf_setting *s = find_setting(r, name);

    return s ? setting_blame(s, e, err) : e;
}

int size_resolve(struct registry *r, struct errmsg *err)
{
    struct instance_conf *c = &r->instance;

    count_workers(r);
    if (c->cheaper == 0) {
        if (c->cheaper_initial != 0)
            return refuse(r, "cheaper-initial", c->cheaper_initial, "of no use with cheaper", 0,
                          err);
        c->cheaper_initial = c->processes;
        return 0;
    }
    if (c->cheaper > c->processes)
        return refuse(r, "cheaper", c->cheaper, "more than processes", c->processes, err);
    if (c->cheaper_initial == 0)
        c->cheaper_initial = c->cheaper;
    if (c->cheaper_initial < c->cheaper)
        return refuse(r, "cheaper-initial", c->cheaper_initial, "less than cheaper", c->cheaper,
                      err);
    if (c->cheaper_initial > c->processes)
        return refuse(r, "cheaper-initial", c->cheaper_initial, "more than processes", c->processes,
                      err);
    return 0;
}

uint64_t size_configure(struct size *s, uint64_t min, uint64_t initial, uint64_t max)
{
    if (s->min != min || s->initial != initial || s->max != max)
        *s = (struct size){.min = min, .initial = initial, .max = max, .wanted = initial};
    return s->wanted;
}

uint64_t size_change(struct size *s, int by)
{
    int64_t n = (int64_t)s->wanted + by;

    s->wanted = (uint64_t)MIN(MAX(n, (int64_t)1), (int64_t)SCOREBOARD_MAX_WORKERS);
    return s->wanted;
}
