/* SPDX-License-Identifier: MIT */

/* The descriptor of the Python plugin, the one symbol that the shared object exports, and the few
 * lines that tie the host's calls to the parts: interp.c (the interpreter's life), loader.c
 * (finding the application) and call.c (running it for a request). */

#include <Python.h>

#include <errno.h>

#include "adopt.h"
#include "api.h"
#include "audit.h"
#include "call.h"
#include "early.h"
#include "host.h"
#include "interp-config.h"
#include "interp.h"
#include "loader.h"
#include "sources.h"
#include "stacks.h"
#include "traceback.h"

static const struct python_conf *python_conf; /* this instance's */

static int plugin_start(const struct liege_host *host, const void *conf, struct liege_error *err)
{
    int r;

    python_host = host;
    python_conf = conf;
    r = interp_start(conf, err);
    if (r < 0)
        return r;
    if (loader_init() < 0 || wsgi_init() < 0 || stacks_prepare() < 0)
        return traceback_report("the WSGI plugin does not start", err);
    return 0;
}

static int plugin_early(const char *option, const char *value, void **ret_app,
                        struct liege_error *err)
{
    PyObject *app = NULL;
    int r = early_act(python_conf, option, value, &app, err);

    if (r == 0)
        *ret_app = app;
    return r;
}

static int plugin_adopt(const struct liege_host *host, const void *conf, struct liege_error *err)
{
    int r = interp_check_same(conf, err);

    if (r < 0)
        return r;
    python_host = host;
    python_conf = conf;
    return adopt(conf, err);
}

static int plugin_load(const char *source, void **ret_app, struct liege_error *err)
{
    PyObject *app = NULL;
    int r = loader_load(python_conf, source, &app, err);

    if (r == 0)
        *ret_app = app;
    return r;
}

static bool plugin_sources(void (*add)(void *data, const char *path), void *data)
{
    if (python_conf->auto_reload > 0)
        sources_report(add, data);
    return python_conf->auto_reload > 0;
}

static bool plugin_settle(void)
{
    bool done = interp_settle();

    if (done)
        adopt_prepare();
    return done;
}

static int plugin_zygote_start(struct liege_error *err)
{
    interp_unsettle();
    if (api_call_hook("zygote_hook") < 0)
        return host_error(err, -ECANCELED, "zygote_hook failed: see the traceback in the log");
    return 0;
}

static int plugin_worker_start(struct liege_error *err)
{
    if (api_call_hook("post_fork_hook") < 0)
        return host_error(err, -ECANCELED, "post_fork_hook failed: see the traceback in the log");
    if (stacks_start() < 0)
        traceback_log("the stacks of this worker will not be in the log");
    return 0;
}

__attribute__((visibility("default"))) extern const struct liege_plugin liege_plugin;

const struct liege_plugin liege_plugin = {
    .abi = LIEGE_PLUGIN_ABI,
    .conf_size = sizeof(struct python_conf),
    .name = "python",
    .version = "Python " PY_VERSION,
    .start = plugin_start,
    .early = plugin_early,
    .load = plugin_load,
    .sources = plugin_sources,
    .describe_thread = audit_describe_thread,
    .describe_fd = audit_describe_fd,
    .adopt = plugin_adopt,
    .settle = plugin_settle,
    .before_fork = interp_before_fork,
    .after_fork_parent = interp_after_fork_parent,
    .after_fork_child = interp_after_fork_child,
    .zygote_start = plugin_zygote_start,
    .worker_start = plugin_worker_start,
    .call = wsgi_call,
    .wait_begin = interp_wait_begin,
    .wait_end = interp_wait_end,
    .dump = stacks_dump,
    .stop = interp_stop,
};
