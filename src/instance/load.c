/* SPDX-License-Identifier: MIT */
/* The passage from a process of ours to one that runs foreign code: what the configuration says
 * about its surroundings is done here, after the fork, so that the master stays as it was. */
#include "instance/load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "conf/settings.h"
#include "instance/adopted.h"
#include "worker/warmup.h"
#include "worker/worker.h"

static int apply_environment(const struct conf *c, struct errmsg *err)
{
    for (size_t i = 0; i < c->unenv.n_items; i++)
        (void)unsetenv(c->unenv.items[i]); /* EINVAL: no such name can be set */
    for (size_t i = 0; i < c->env.n_items; i++)
        if (putenv(c->env.items[i]) != 0) /* the registry outlives the process's use of it */
            return errmsg_set_errno(err, -errno, "env = %s", c->env.items[i]);
    return 0;
}

/* The settings as plugins see them; lives as long as the process. */
static int make_settings(const struct conf *c, struct liege_host *host)
{
    struct liege_setting *settings = calloc(c->n_settings + 1, sizeof(*settings));

    if (!settings)
        return -ENOMEM;
    for (size_t i = 0; i < c->n_settings; i++)
        settings[i] = (struct liege_setting){
            .key = c->settings[i].key,
            .value = c->settings[i].value,
        };
    host->settings = settings;
    host->n_settings = c->n_settings;
    return 0;
}

static void host_log(enum liege_log_level level, const char *text, size_t len)
{
    log_text((int)level, text, len);
}

int load_applications(const struct child_start *start, struct apps *ret, struct errmsg *err)
{
    static struct liege_host host; /* plugins keep the pointer: one for the process */
    const struct registry *r = start->registry;

    host = (struct liege_host){
        .size = sizeof(host),
        .version = LIEGE_VERSION,
        .name = start->name,
        .multiprocess = r->instance.processes > 1,
        .multithread = r->worker.threads > 1,
        .n_workers = r->instance.processes,
        .respond = &worker_respond,
        .body = &worker_body,
        .log = host_log,
        .worker_id = worker_id,
        .master_pid = worker_master_pid,
        .reload = worker_request_reload,
        .on_heap = r->instance.fork_server != NULL,
    };
    int e = make_settings(&r->conf, &host);
    if (e < 0)
        return errmsg_set(err, e, "out of memory");
    e = apply_environment(&r->conf, err);
    if (e < 0)
        return e;
    if (r->instance.chdir && chdir(r->instance.chdir) < 0)
        return errmsg_set_errno(err, -errno, "chdir: %s", r->instance.chdir);

    const struct apps_input in = {
        .conf = &r->app,
        .plugin_confs = (const void *const *)r->plugin_confs,
        .plugin_wanted = r->plugin_wanted,
        .host = &host,
        .is_base = r->instance.fork_server != NULL,
    };
    if (start->warm) {
        *ret = start->warm->apps;
        apps_after_fork_child(ret);
        e = apps_adopt(ret, &in, err);
    } else {
        e = apps_load(ret, &in, err);
    }
    for (size_t i = 0; e == 0 && i < r->instance.warmup.n_items; i++)
        e = warmup_run(r->instance.warmup.items[i], ret, &host, err);
    return e;
}

static void warn_of_missing(const struct registry *r, const char *option, const char *value,
                            int error)
{
    const struct conf_setting *s = registry_find_setting(r, option, value);
    struct errmsg text = {""};

    (void)errmsg_set_errno(&text, error, "%s = %s: nothing is served from there until it exists",
                           option, value);
    if (s)
        (void)setting_blame(s, error, &text);
    log_warning("%s", text.text);
}

int load_static_files(const struct child_start *start, struct static_site **ret, struct errmsg *err)
{
    const char *option = NULL, *value = NULL;
    size_t pos = 0;
    int error = 0;
    int r = static_site_new(&start->registry->statics, ret, err);

    if (r < 0)
        return r;
    while ((option = static_site_next_missing(*ret, &pos, &value, &error)))
        warn_of_missing(start->registry, option, value, error);
    return 0;
}
