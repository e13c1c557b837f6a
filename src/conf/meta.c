/* SPDX-License-Identifier: MIT */
/* The options that configure the configuration: which files to read, variables, the environment,
 * and what the program is to do other than run.
 *
 * Their rows stand in one table, their behaviour in another; both are keyed by name, and a unit
 * test walks them. Immediate ones act when they are met, so that a file's settings stand where the
 * file was named; the others wait for their value to be expanded. Called by load.c. */
#include "conf/meta.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"
#include "conf/declare.h"
#include "conf/load.h"
#include "conf/logic-word.h"
#include "conf/lookup.h"
#include "conf/meta-env.h"
#include "conf/option.h"
#include "conf/uwsgi-names.h"

/* clang-format off */
static const struct liege_option rows[] = {
    { .name = "ini", .type = LIEGE_OPTION_LIST, .arg = "FILE[:SECTION]",
      .help = "read an INI file; :SECTION alone is another section of the file read last" },
    { .name = "yaml", .aliases = "yml", .type = LIEGE_OPTION_LIST, .arg = "FILE[:SECTION]",
      .help = "read a YAML file" },
    { .name = "json", .aliases = "js", .type = LIEGE_OPTION_LIST, .arg = "FILE[:SECTION]",
      .help = "read a JSON file" },
    { .name = "xml", .aliases = "xmlconfig", .type = LIEGE_OPTION_LIST, .arg = "FILE[:SECTION]",
      .help = "read an XML file" },
    { .name = "mode", .type = LIEGE_OPTION_STRING, .arg = "NAME",
      .help = "read also what an XML file has for this mode; it is to stand before the file" },
    { .name = "config", .type = LIEGE_OPTION_LIST, .arg = "FILE[:SECTION]",
      .help = "read a configuration file in the format that its name's ending says" },
    { .name = "include", .type = LIEGE_OPTION_LIST, .arg = "FILE[:SECTION]",
      .help = "read another file's settings as if they stood here" },
    { .name = "inherit", .type = LIEGE_OPTION_LIST, .arg = "FILE[:SECTION]",
      .help = "read a template after everything else: where an option has one value, it wins" },
    { .name = "set", .aliases = "S", .type = LIEGE_OPTION_LIST, .arg = "NAME=VALUE",
      .help = "set the option NAME, or define %(NAME) if there is no such option" },
    { .name = "set-placeholder", .aliases = "set-ph", .type = LIEGE_OPTION_LIST, .arg = "NAME=VALUE",
      .help = "define %(NAME), also if an option has that name" },
    { .name = "env", .type = LIEGE_OPTION_LIST, .arg = "NAME=VALUE",
      .help = "set a variable in the environment of the instance" },
    { .name = "ienv", .type = LIEGE_OPTION_LIST, .arg = "NAME=VALUE",
      .help = "as env, and $(NAME) in the configuration sees it too" },
    { .name = "unenv", .type = LIEGE_OPTION_LIST, .arg = "NAME",
      .help = "remove a variable from the environment of the instance" },
    { .name = "envdir", .type = LIEGE_OPTION_LIST, .arg = "FOLDER",
      .help = "set the variables that the files of a folder are, as daemontools' envdir does" },
    { .name = "early-envdir", .type = LIEGE_OPTION_LIST, .arg = "FOLDER",
      .help = "as envdir, and $(NAME) in the configuration sees them too" },
    { .name = "declare-option", .aliases = "declare-option2", .type = LIEGE_OPTION_LIST,
      .arg = "NAME=OPTION=VALUE;...",
      .help = "make an option that stands for others; the words of its value are $1, $2 ..." },
    { .name = "fallback-config", .type = LIEGE_OPTION_STRING, .arg = "FILE",
      .help = "a configuration to start with if this one is wrong" },
    { .name = "print", .type = LIEGE_OPTION_LIST, .arg = "TEXT",
      .help = "write a text with everything expanded to the log" },
    { .name = "iprint", .type = LIEGE_OPTION_LIST, .arg = "TEXT",
      .help = "as print, expanded with what was set before" },
    { .name = "exit", .type = LIEGE_OPTION_STRING, .flags = LIEGE_OPTION_VALUELESS, .arg = "CODE",
      .help = "read no further and end with this code, 0 if there is none" },
    { .name = "strict", .type = LIEGE_OPTION_FLAG,
      .help = "make an unknown option an error" },
    { .name = "check", .type = LIEGE_OPTION_FLAG,
      .help = "check the configuration and start nothing" },
    { .name = "show-config", .type = LIEGE_OPTION_FLAG,
      .help = "print the configuration with everything expanded and exit" },
    { .name = "get", .type = LIEGE_OPTION_STRING, .arg = "NAME",
      .help = "print the value of an option or placeholder and exit" },
    { .name = "dump-options", .type = LIEGE_OPTION_FLAG,
      .help = "print the names of all options and exit" },
    { .name = "version", .type = LIEGE_OPTION_FLAG,
      .help = "print the version and exit" },
    { .name = "help", .aliases = "h", .type = LIEGE_OPTION_FLAG,
      .help = "print this help and exit" },
};
const struct conf_table conf_meta_table = {
    .title = "Configuration", .options = rows, .n_options = COUNT_OF(rows),
};

/* What uWSGI's configuration language has beyond this: to skip it would change what the settings
 * around it mean. */
static const char *const unsupported[] = {
    "inject-before", "inject-after",
};
/* clang-format on */

bool meta_is_unsupported(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(unsupported); i++)
        if (strcmp(name, unsupported[i]) == 0)
            return true;
    return false;
}

/* Splits "NAME=VALUE" in place; blanks around the '=' are dropped as in a file. */
static int split_pair(const struct conf_setting *s, char *text, char **ret_value,
                      struct errmsg *err)
{
    static const char blanks[] = " \t";
    char *equals = strchr(text, '=');

    if (!equals || equals == text)
        return meta_refuse_pair(s, text, err);
    *ret_value = equals + 1 + strspn(equals + 1, blanks);
    while (equals > text && strchr(blanks, equals[-1]))
        equals--;
    *equals = '\0';
    return 0;
}

static int on_config(struct loader *l, const struct conf_setting *s)
{
    return loader_read_file(l, s, l->frame, LOAD_CONFIG);
}

static int on_include(struct loader *l, const struct conf_setting *s)
{
    return loader_read_file(l, s, l->frame, LOAD_INCLUDE);
}

static int on_mode(struct loader *l, const struct conf_setting *s)
{
    char *mode = strdup(s->value);

    if (!mode)
        return -ENOMEM;
    free(l->mode);
    l->mode = mode;
    return 0;
}

static int on_fallback_config(struct loader *l, const struct conf_setting *s)
{
    char *file = NULL;
    int r = loader_expand(l, s, &file, NULL);

    if (r < 0)
        return r;
    free(l->conf->fallback);
    l->conf->fallback = file;
    return 0;
}

static int on_inherit(struct loader *l, const struct conf_setting *s)
{
    struct load_inherit *inherits =
        realloc(l->inherits, (l->n_inherits + 1) * sizeof(*l->inherits));
    struct settings one = {0};

    if (!inherits)
        return -ENOMEM;
    l->inherits = inherits;

    int r = settings_append(&one, s);
    if (r < 0)
        return r;
    inherits[l->n_inherits++] = (struct load_inherit){one.items[0], l->frame};
    free(one.items);
    return 0;
}

static int add_placeholder(struct loader *l, const struct conf_setting *s, char *name, char *value)
{
    return settings_append(&l->list, &(struct conf_setting){
                                         .key = name,
                                         .value = value,
                                         .file = s->file,
                                         .line = s->line,
                                         .placeholder = true,
                                         .trust = s->trust,
                                     });
}

static int copy_value(const struct conf_setting *s, struct buf *ret)
{
    return buf_append(ret, s->value, strlen(s->value) + 1);
}

static int on_set_placeholder(struct loader *l, const struct conf_setting *s)
{
    _cleanup_(buf_done) struct buf text = {0};
    int r = copy_value(s, &text);

    if (r < 0)
        return r;
    char *name = buf_at(&text), *value = name;
    r = split_pair(s, name, &value, l->err);
    return r < 0 ? r : add_placeholder(l, s, name, value);
}

/* `set` of `set` and so on is followed in a loop: a file must not choose our stack's depth. */
static int on_set(struct loader *l, const struct conf_setting *s)
{
    _cleanup_(buf_done) struct buf text = {0};
    int r = copy_value(s, &text);

    if (r < 0)
        return r;
    char *name = buf_at(&text), *value = name;
    r = split_pair(s, name, &value, l->err);
    while (r == 0 && strcmp(name, "set") == 0) {
        name = value;
        r = split_pair(s, name, &value, l->err);
    }
    if (r < 0)
        return r;
    if (logic_find_word(name)) {
        (void)errmsg_set(l->err, 0, "set: '%s' is no option: write it alone", name);
        return setting_blame(s, -EINVAL, l->err);
    }
    if (lookup_exact(&l->lookup, name) || declare_find(l, name) || meta_is_unsupported(name) ||
        uwsgi_has_option(name))
        return loader_add(l, name, value, s->file, s->line);
    return add_placeholder(l, s, name, value);
}

static int on_print(struct loader *l, const struct conf_setting *s)
{
    return strv_append(&l->conf->prints, s->value);
}

static int on_iprint(struct loader *l, const struct conf_setting *s)
{
    _cleanup_free_ char *text = NULL;
    int r = loader_expand(l, s, &text, NULL);

    return r < 0 ? r : strv_append(&l->conf->prints, text);
}

/* Ends the load; conf_load() knows that this is no failure. */
static int on_exit_code(struct loader *l, const struct conf_setting *s)
{
    char *end = NULL;
    unsigned long code = strtoul(s->value, &end, 10);
    struct shown shown;

    if (*end != '\0' || code > 255 || strspn(s->value, "0123456789") != strlen(s->value)) {
        (void)errmsg_set(l->err, 0, "exit: '%s' is not a whole number from 0 to 255",
                         setting_shown(s->value, &shown));
        return setting_blame(s, -EINVAL, l->err);
    }
    l->conf->action = CONF_EXIT;
    l->conf->exit_code = (int)code;
    (void)errmsg_set(l->err, 0, "exit = %lu", code);
    return setting_blame(s, -ECANCELED, l->err);
}

/* Asks for @action instead of running, unless something above it is asked for. */
static void want(struct loader *l, enum conf_action action)
{
    if (action > l->conf->action)
        l->conf->action = action;
}

static int on_get(struct loader *l, const struct conf_setting *s)
{
    char *name = strdup(s->value);

    if (!name)
        return -ENOMEM;
    free(l->conf->get);
    l->conf->get = name;
    want(l, CONF_GET);
    return 0;
}

/* Reads the value of one of our flags. */
static int read_flag(struct loader *l, const struct conf_setting *s, bool *ret)
{
    const struct liege_option *row = conf_find_option(&conf_meta_table, 1, s->key, NULL);
    int r = option_set(row, ret, s->value, l->err);

    return r < 0 ? setting_blame(s, r, l->err) : 0;
}

static int on_strict(struct loader *l, const struct conf_setting *s)
{
    return read_flag(l, s, &l->conf->strict);
}

/* What a row does. */
struct act {
    const char *name;
    int (*immediate)(struct loader *l, const struct conf_setting *s); /* when it is met */
    int (*final)(struct loader *l, const struct conf_setting *s);     /* when all is expanded */
    enum conf_action action; /* what the flag asks for then */
};

/* clang-format off */
static const struct act acts[] = {
    { "ini",             .immediate = on_config },
    { "yaml",            .immediate = on_config },
    { "json",            .immediate = on_config },
    { "xml",             .immediate = on_config },
    { "mode",            .immediate = on_mode },
    { "config",          .immediate = on_config },
    { "include",         .immediate = on_include },
    { "inherit",         .immediate = on_inherit },
    { "set",             .immediate = on_set },
    { "set-placeholder", .immediate = on_set_placeholder },
    { "ienv",            .immediate = meta_ienv, .final = meta_env },
    { "env",             .final = meta_env },
    { "unenv",           .final = meta_unenv },
    { "envdir",          .final = meta_envdir },
    { "early-envdir",    .immediate = meta_early_envdir, .final = meta_envdir },
    { "declare-option",  .immediate = declare_option },
    { "fallback-config", .immediate = on_fallback_config },
    { "print",           .final = on_print },
    { "iprint",          .immediate = on_iprint },
    { "exit",            .immediate = on_exit_code },
    { "strict",          .final = on_strict },
    { "check",           .action = CONF_CHECK },
    { "show-config",     .action = CONF_SHOW_CONFIG },
    { "get",             .final = on_get, .action = CONF_GET },
    { "dump-options",    .action = CONF_DUMP_OPTIONS },
    { "version",         .action = CONF_VERSION },
    { "help",            .action = CONF_HELP },
};
/* clang-format on */
static_assert(COUNT_OF(acts) == COUNT_OF(rows), "one act for each row");

static const struct act *find_act(const char *key)
{
    const struct liege_option *row = conf_find_option(&conf_meta_table, 1, key, NULL);

    for (size_t i = 0; row && i < COUNT_OF(acts); i++)
        if (strcmp(acts[i].name, row->name) == 0)
            return &acts[i];
    return NULL;
}

bool meta_asks(const struct liege_option *row)
{
    for (size_t i = 0; i < COUNT_OF(acts); i++)
        if (strcmp(acts[i].name, row->name) == 0)
            return acts[i].action != CONF_RUN;
    return false;
}

int meta_immediate(struct loader *l, const struct conf_setting *s)
{
    const struct act *act = find_act(s->key);

    if (meta_is_unsupported(s->key)) {
        (void)errmsg_set(l->err, 0, "'%s' is not built: let the file include what is wanted in it",
                         s->key);
        return setting_blame(s, -ENOTSUP, l->err);
    }
    if (!act || !act->immediate)
        return 0;

    int r = act->immediate(l, s);
    return r < 0 ? r : 1;
}

int meta_final(struct loader *l, const struct conf_setting *s)
{
    const struct act *act = s->placeholder ? NULL : find_act(s->key);
    bool on = false;

    if (!act)
        return 0;

    int r = act->final ? act->final(l, s) : read_flag(l, s, &on);
    if (on)
        want(l, act->action);
    return r < 0 ? r : 1;
}
