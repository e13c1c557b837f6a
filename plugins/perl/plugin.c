/* SPDX-License-Identifier: MIT */
/* The descriptor of the Perl plugin: what liege finds in liege_perl.so.
 *
 * Nothing but the table and the few functions that only combine others. Applications follow PSGI
 * 1.1: the environment is made in psgi-env.c, the response taken apart in psgi-call.c. */
#include "early.h"
#include "error.h"
#include "interp.h"
#include "loader.h"
#include "package.h"
#include "psgi-call.h"
#include "sources.h"
#include "stacks.h"

static int plugin_start(const struct liege_host *host, const void *conf, struct liege_error *err)
{
    return interp_start(host, (const struct perl_conf *)conf, err);
}

static int plugin_adopt(const struct liege_host *host, const void *conf, struct liege_error *err)
{
    return interp_adopt(host, (const struct perl_conf *)conf, err);
}

/* Runs the scripts of perl-exec. */
static int plugin_prepare(struct liege_error *err)
{
    pTHX = interp_enter();
    const struct liege_list *files = &interp.conf->exec;

    return interp_exec(aTHX_ files, err);
}

static int plugin_worker_start(struct liege_error *err)
{
    pTHX = interp_enter();
    const struct liege_list *files = &interp.conf->exec_post_fork;
    int r = interp_exec(aTHX_ files, err);

    return r < 0 ? r : package_run_hooks(aTHX_ interp.post_fork, "postfork", err);
}

static bool plugin_sources(void (*add)(void *data, const char *path), void *data)
{
    if (interp.conf->auto_reload > 0)
        sources_report(interp_enter(), add, data);
    return interp.conf->auto_reload > 0;
}

static int plugin_zygote_start(struct liege_error *err)
{
    pTHX = interp_enter();

    return package_run_hooks(aTHX_ interp.zygote, "zygote", err);
}

extern const struct liege_plugin liege_plugin;

__attribute__((visibility("default"))) const struct liege_plugin liege_plugin = {
    .abi = LIEGE_PLUGIN_ABI,
    .conf_size = sizeof(struct perl_conf),
    .name = "perl",
    .version = "Perl " PERL_VERSION_STRING,
    .start = plugin_start,
    .early = early_act,
    .prepare = plugin_prepare,
    .load = loader_load,
    .adopt = plugin_adopt,
    .settle = interp_settle,
    .before_fork = interp_flush,
    .after_fork_child = interp_forked,
    .sources = plugin_sources,
    .zygote_start = plugin_zygote_start,
    .worker_start = plugin_worker_start,
    .call = psgi_call,
    .dump = stacks_dump,
    .stop = interp_stop,
};
