/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/errmsg.h"
#include "conf/trust.h"
#include "liege/option.h"

struct buf;
struct source_cache;

/* Configuration. Command line, environment and files are front ends that produce one ordered list
 * of settings (key, value, where it was said); expansion works on that list; options tables check
 * it and fill the modules' structures. */

/* The options of one module. Several tables make up a program's options. */
struct conf_table {
    const char *title; /* heading in help and manual: "Workers" */
    const struct liege_option *options;
    size_t n_options;
    void *object; /* the structure that the values go to; NULL: the options are known and checked,
                     but are another program's to act on */
};

/* The options that conf itself acts on: ini, include, set, strict, --help ..., and the keywords of
 * blocks: for, if-env, endif ... For help and manual; they are always known and are not to be
 * passed with the other tables. */
extern const struct conf_table conf_meta_table, conf_logic_table;

/* A setting. Strings belong to the conf. */
struct conf_setting {
    char *key;          /* without leading dashes; a short or shortened option has its full name */
    char *value;        /* "" when none was given */
    char *file;         /* "app.ini", "command line", "environment" */
    unsigned line;      /* from 1; 0 where lines mean nothing */
    bool placeholder;   /* said with `set` or `set-ph`: a variable, no option's value */
    bool referenced;    /* some %(key) refers to it */
    struct trust trust; /* of who said it, and of what its value was put together from */
    const struct liege_option *option; /* the row in the tables that conf_load() was given, or NULL;
                                          borrowed */
};

struct conf {
    struct conf_setting *settings; /* in order, expanded; meta options are gone */
    size_t n_settings;
    struct liege_list files;    /* every configuration file that was read, absolute path */
    struct liege_list env;      /* NAME=VALUE of `env` and `ienv`; a name stands once, and either */
    struct liege_list unenv;    /* here or among the names of `unenv`: what was said last */
    struct liege_list warnings; /* dubious things met while loading; conf_apply() passes them on */
    struct liege_list prints;   /* texts of `print` and `iprint`, for the log */
    char *fallback;             /* the file that `fallback-config` names, or NULL; this is left
                                   by a conf_load() that fails, if it was to run something */
    char *get;                  /* with CONF_GET: the name whose value is asked for */
    int exit_code;              /* with CONF_EXIT */
    bool strict;
    enum conf_action {
        CONF_RUN,
        CONF_CHECK,        /* --check */
        CONF_SHOW_CONFIG,  /* --show-config */
        CONF_GET,          /* --get */
        CONF_DUMP_OPTIONS, /* --dump-options: from here on the settings do not matter */
        CONF_VERSION,      /* --version */
        CONF_HELP,         /* --help */
        CONF_EXIT,         /* `exit` at the place that @err of conf_load() says: no settings */
    } action;              /* of several, the one that stands last here */
    char *name;            /* of the instance: base name of the first configuration file, or "" */
};

/* A word on the command line that ends in one of @suffixes is the value of the option @key: "liege
 * app.py" means wsgi-file = app.py. */
struct conf_suffix {
    const char *suffixes; /* separated by blanks: ".py .wsgi" */
    const char *key;
};

/* Reads the text that the Emperor sends this process, which @environ says how to find. *@ret_text
 * is allocated and terminated. Returns 0, or a negative errno with @err. */
typedef int conf_receive_fn(const char *const *environ, char **ret_text, size_t *ret_len,
                            struct errmsg *err);

/* What conf_load() starts from. Nothing else is looked at but the files that are named, so that a
 * reload sees what a start would see. */
struct conf_input {
    const char *const *argv; /* NULL-terminated, with the program's name first */
    const char *const *environ;
    const struct conf_table *tables; /* to know which options take values */
    size_t n_tables;
    const struct conf_suffix *suffixes;
    size_t n_suffixes;
    bool (*has_plugin)(const char *name); /* for if-plugin; NULL: there are none */
    bool is_reload;                       /* for if-reload: an instance runs already */
    const char *cwd;     /* absolute: where relative names start, and %v; NULL: the current one */
    const char *binary;  /* %b; may be NULL */
    const char *version; /* %V; may be NULL */
    struct source_cache *sources; /* texts that are there, and takes others (source-cache.h); NULL:
                                     commands and servers are asked, once a load */
    conf_receive_fn *receive;     /* reads emperor://NAME; NULL: it is refused */
};

/* Reads the command line, LIEGE_X and UWSGI_X of the environment and every file they name, and
 * expands the result (reference: docs/configuration.md). Changes nothing outside @ret. Returns 0,
 * or a negative errno with @err naming file, line, value and what would be accepted; @ret then has
 * nothing but a fallback. It is to be released with conf_done() either way. */
int conf_load(const struct conf_input *in, struct conf *ret, struct errmsg *err) _must_check_;
void conf_done(struct conf *c);

/* Receives what is dubious but not wrong: an unknown key, say, with the nearest option's name. */
typedef void conf_warn_fn(const char *text);

/* Fills the tables' objects: first every default, then the settings in order. An unknown key that
 * nothing refers to is a warning, or an error under `strict`; an option of uWSGI that liege lacks
 * and a bad value are errors. On failure the objects hold some of the values and are still to be
 * released with conf_release(). The objects start zeroed. */
int conf_apply(const struct conf *c, const struct conf_table *tables, size_t n_tables,
               conf_warn_fn *warn, struct errmsg *err) _must_check_;

/* Frees the strings and lists that conf_apply() stored in the tables' objects, and zeroes every
 * value that a row describes. */
void conf_release(const struct conf_table *tables, size_t n_tables);

/* The value of the last setting called @key (or of one of its aliases in the tables), or NULL.
 * Placeholders are none. */
const char *conf_get(const struct conf *c, const char *key);

/* The row of the option @name (or alias of more than one letter), or NULL; @ret_table may be NULL.
 */
const struct liege_option *conf_find_option(const struct conf_table *tables, size_t n_tables,
                                            const char *name, const struct conf_table **ret_table);

/* Appends the value of @name to @out, with a newline: of an option that may be repeated all of
 * them, of another one the last, of a variable what %(name) is. Returns 0, -ENOENT if nothing is
 * called so, or -ENOMEM. */
int conf_show_value(const struct conf *c, const char *name, struct buf *out) _must_check_;

/* Appends the configuration to @out as INI text that gives the same settings when it is loaded.
 * What INI cannot hold (several lines in a value, blanks at its ends) stands there as a comment
 * that says so. Returns 0 or -ENOMEM. */
int conf_show(const struct conf *c, struct buf *out) _must_check_;
