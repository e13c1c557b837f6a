/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "app/app-conf.h"
#include "conf/conf.h"
#include "conf/source-cache.h"
#include "instance/instance-conf.h"
#include "static/static-conf.h"
#include "worker/worker-conf.h"

#define INSTANCE_MAX_PLUGINS 8
#define INSTANCE_MAX_TABLES  (INSTANCE_MAX_PLUGINS + 8)

/* Every option of an instance with the structures that hold the values: one load of the
 * configuration. */
struct registry {
    struct instance_conf instance;
    struct worker_conf worker;
    struct static_conf statics;
    struct app_conf app;
    void *plugin_confs[INSTANCE_MAX_PLUGINS]; /* by index of languages */
    char why_workers[256];                    /* with "auto": a sentence for the log */
    bool plugin_wanted[INSTANCE_MAX_PLUGINS]; /* an option of it names an application */

    struct conf conf;
    struct conf_table tables[INSTANCE_MAX_TABLES];
    size_t n_tables;
};

/* What a load starts from. */
struct registry_input {
    const char *const *argv, *const *environ; /* NULL-terminated */
    struct source_cache *sources;             /* what need not be read, and takes what is read */
    conf_receive_fn *receive;                 /* how to read emperor://NAME */
    bool is_reload; /* an instance runs already, which goes on rather than fall back */
    conf_warn_fn *warn;
};

/* Loads, applies and checks the configuration, or the one that it names to fall back to. Returns 0,
 * or a negative errno with @err; what was loaded is to be released with registry_free() either way.
 */
int registry_load(const struct registry_input *input, struct registry **ret,
                  struct errmsg *err) _must_check_;

/* True if it is an Emperor's configuration, which is not for an instance: then it was only loaded,
 * and neither applied nor checked. */
bool registry_has_emperor(const struct registry *r);

struct registry *registry_free(struct registry *r);

/* The setting that gave the option @name the value @value, or NULL. */
const struct conf_setting *registry_find_setting(const struct registry *r, const char *name,
                                                 const char *value);

/* Fills @tables with the rows of all options of instances, without objects. Returns how many. */
size_t instance_tables(struct conf_table *tables, size_t max);

/* Fills @suffixes: which option a bare file name on the command line means. Returns how many. */
size_t instance_suffixes(struct conf_suffix *suffixes, size_t max);

/* True if @name, or one that uWSGI has for it, is a language that liege knows. */
bool instance_has_plugin(const char *name);

/* Compares two loads: -EBUSY with @err naming the first option that a reload cannot change. */
int registry_check_reload(const struct registry *old, const struct registry *new,
                          struct errmsg *err) _must_check_;
