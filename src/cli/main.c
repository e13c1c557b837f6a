/* SPDX-License-Identifier: MIT */
/* The program liege: the command line and the Emperor. It reads the configuration only to see which
 * of the two is wanted. Without an Emperor it becomes liege-instance, which reads everything again
 * for itself; with one it runs the Emperor. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/libexec.h"
#include "base/log.h"
#include "base/title.h"
#include "cli/program.h"
#include "cli/registry.h"
#include "conf/conf.h"
#include "conf/doc.h"
#include "conf/source-cache.h"
#include "emperor/emperor.h"
#include "emperor/upgrade.h"
#include "instance/registry.h"
#include "ipc/config-pipe.h"

static int print(struct buf *b)
{
    if (fwrite(buf_at(b), 1, buf_len(b), stdout) != buf_len(b) || fflush(stdout) != 0)
        return log_errno(LOG_ERR, errno, "cannot write the answer");
    return 0;
}

static int dump_options(const struct conf_table *tables, size_t n_tables)
{
    const struct conf_table own[] = {conf_meta_table, conf_logic_table};
    _cleanup_(buf_done) struct buf out = {0};
    int r = doc_words(own, COUNT_OF(own), &out);

    if (r == 0)
        r = doc_words(tables, n_tables, &out);
    return r < 0 ? log_errno(LOG_ERR, r, "options") : print(&out);
}

static int print_help(const struct conf_table *tables, size_t n_tables)
{
    struct conf_table all[REGISTRY_MAX_TABLES + 2] = {conf_meta_table, conf_logic_table};
    _cleanup_(buf_done) struct buf out = {0};

    memcpy(all + 2, tables, n_tables * sizeof(*tables));
    int r = buf_printf(&out, "usage: liege [OPTION...] [CONFIGURATION...]\n"
                             "       liege --emperor DIRECTORY [OPTION...]\n\n");
    if (r == 0)
        r = doc_help(all, n_tables + 2, &out);
    return r < 0 ? log_errno(LOG_ERR, r, "help") : print(&out);
}

/* Refuses what is meant for a vassal: nobody would act on it. What liege does anyway is harmless.
 */
static int refuse_foreign(const struct conf *c, const struct conf_table *tables, size_t n_tables,
                          struct errmsg *err)
{
    for (size_t i = 0; i < c->n_settings; i++) {
        const struct conf_setting *s = &c->settings[i];
        const struct conf_table *table = NULL;
        const struct liege_option *o =
            s->placeholder ? NULL : conf_find_option(tables, n_tables, s->key, &table);

        if (!o || table->object || o->type == LIEGE_OPTION_ALWAYS)
            continue;
        return errmsg_set(err, -EINVAL,
                          "%s:%u: %s is an option of a vassal: use vassal-set = %s=%s", s->file,
                          s->line, s->key, s->key, s->value);
    }
    return 0;
}

/* The options env and unenv of an Emperor are for its vassals, as its environment is. */
static int set_environment(const struct conf *c)
{
    for (size_t i = 0; i < c->unenv.n_items; i++)
        if (unsetenv(c->unenv.items[i]) < 0)
            return -errno;
    for (size_t i = 0; i < c->env.n_items; i++)
        if (putenv(c->env.items[i]) != 0)
            return -errno;
    return 0;
}

static void warn(const char *text)
{
    log_warning("%s", text);
}

static int run_emperor(const struct conf *c, const struct emperor_conf *e, const char *binary,
                       char *const *argv, struct errmsg *err)
{
    _cleanup_free_ char *self = NULL;
    int r = libexec_self(&self, err);

    if (r < 0)
        return r;
    r = set_environment(c);
    if (r < 0)
        return errmsg_set_errno(err, r, "cannot set the environment");
    if (e->procname)
        title_set("%s", e->procname);
    else
        title_set("liege: emperor%s%s", *c->name ? " " : "", c->name);
    const struct emperor_start start = {
        .conf = e,
        .binary = binary,
        .self = self,
        .argv = argv,
        .environ = (const char *const *)environ,
    };
    return emperor_run(&start, err);
}

/* What --check, --show-config and --get want to know. */
static int answer(const struct conf *c, struct errmsg *err)
{
    _cleanup_(buf_done) struct buf out = {0};
    int r = 0;

    if (c->action == CONF_GET)
        r = conf_show_value(c, c->get, &out);
    else if (c->action == CONF_SHOW_CONFIG)
        r = conf_show(c, &out);
    else
        r = buf_printf(&out, "%s: the configuration is valid\n", *c->name ? c->name : "emperor");
    if (r == -ENOENT)
        return errmsg_set(err, r, "nothing is called '%s'", c->get);
    return r < 0 ? errmsg_set_errno(err, r, "cannot answer") : print(&out);
}

/* A configuration with an Emperor. */
static int be_emperor(const struct conf *c, const struct conf_table *tables, size_t n_tables,
                      const struct emperor_conf *e, char *const *argv, struct errmsg *err)
{
    _cleanup_free_ char *binary = NULL;

    log_set_subject("emperor");
    if (c->fallback)
        return errmsg_set(err, -EINVAL, "fallback-config is for instances: an Emperor has none");
    int r = refuse_foreign(c, tables, n_tables, err);
    if (r == 0)
        r = conf_apply(c, tables, n_tables, warn, err);
    if (r == 0)
        r = emperor_check(e, err);
    if (r == 0)
        r = program_find(e->binary_path, &binary, err);
    for (size_t i = 0; r == 0 && i < c->prints.n_items; i++)
        log_info("%s", c->prints.items[i]);
    if (r < 0)
        return r;
    return c->action == CONF_RUN ? run_emperor(c, e, binary, argv, err) : answer(c, err);
}

/* Leaves what was read, and cannot or need not be read again, to the program that we become. */
static int leave_sources(const struct source_cache *sources, struct errmsg *err)
{
    char number[16];
    int fd = source_cache_seal(sources, false);

    if (fd == -ENODATA)
        return 0;
    (void)snprintf(number, sizeof(number), "%d", fd);
    if (fd < 0 || fd_set_cloexec(fd, false) < 0 || setenv(SOURCE_CACHE_ENV, number, 1) < 0)
        return errmsg_set_errno(err, fd < 0 ? fd : -errno, "cannot pass on what was read");
    return 0;
}

/* A configuration without one: becomes the program that serves. Returns only on failure. */
static int become_instance(char **argv, const struct source_cache *sources, struct errmsg *err)
{
    _cleanup_free_ char *path = NULL;
    int r = program_find(NULL, &path, err);

    if (r == 0)
        r = leave_sources(sources, err);
    if (r < 0)
        return r;
    char *called = argv[0];
    argv[0] = path;
    (void)execve(path, argv, environ);
    argv[0] = called;
    return errmsg_set_errno(err, -errno, "cannot run %s", path);
}

static int act(const struct conf *c, const struct conf_table *tables, size_t n_tables,
               const struct emperor_conf *e, char **argv, const struct source_cache *sources,
               struct errmsg *err)
{
    if (c->action == CONF_HELP)
        return print_help(tables, n_tables);
    if (c->action == CONF_DUMP_OPTIONS)
        return dump_options(tables, n_tables);
    if (c->action == CONF_VERSION)
        return printf("liege %s\n", LIEGE_VERSION) < 0 || fflush(stdout) != 0 ? -EIO : 0;
    if (upgrade_is_under_way() && !conf_get(c, "emperor"))
        return errmsg_set(err, -EINVAL, "the configuration has no Emperor any more");
    if (conf_get(c, "emperor"))
        return be_emperor(c, tables, n_tables, e, argv, err);
    return become_instance(argv, sources, err);
}

static int run(char **argv)
{
    struct emperor_conf emperor = {0};
    struct conf_table tables[REGISTRY_MAX_TABLES];
    size_t n_tables = registry_fill(&emperor, tables);
    struct conf_suffix suffixes[INSTANCE_MAX_PLUGINS];
    _cleanup_(source_cache_done) struct source_cache sources = {0};
    const struct conf_input in = {
        .argv = (const char *const *)argv,
        .environ = (const char *const *)environ,
        .tables = tables,
        .n_tables = n_tables,
        .suffixes = suffixes,
        .n_suffixes = instance_suffixes(suffixes, COUNT_OF(suffixes)),
        .has_plugin = instance_has_plugin,
        .version = LIEGE_VERSION,
        .sources = &sources,
        .receive = config_pipe_receive,
    };
    struct conf conf = {0};
    struct errmsg err = {"cannot go on"};
    int code = EXIT_FAILURE;

    int r = conf_load(&in, &conf, &err);
    if (r < 0 && conf.fallback)
        r = become_instance(argv, &sources, &err); /* which says what is wrong, and falls back */
    if (r == 0 && conf.action == CONF_EXIT) {
        log_info("%s", err.text);
        code = conf.exit_code;
    } else if (r == 0) {
        r = act(&conf, tables, n_tables, &emperor, argv, &sources, &err);
        conf_release(tables, n_tables);
        code = r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    if (r < 0) {
        log_error("%s", err.text);
        upgrade_fall_back(argv);
    }
    conf_done(&conf);
    return code;
}

int main(int argc, char *argv[])
{
    (void)argc;
    if (fd_open_standard() < 0)
        return EXIT_FAILURE;
    log_set_subject("liege");
    int r = title_init(&argv);
    if (r < 0) {
        (void)log_errno(LOG_ERR, r, "cannot start");
        return EXIT_FAILURE;
    }
    return run(argv);
}
