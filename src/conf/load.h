/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "conf/conf.h"
#include "conf/expand.h"
#include "conf/logic.h"
#include "conf/lookup.h"
#include "conf/magic.h"
#include "conf/settings.h"
#include "conf/source.h"

/* A load in progress: what the front ends add to, and what their files nest in. */

/* A configuration file that was named. All of a load are kept until it ends. */
struct load_frame {
    struct load_frame *older;  /* the one opened before this one */
    struct load_frame *parent; /* the file that named this one; NULL: not named in a file */
    unsigned parent_line;
    unsigned depth;     /* 1 for a file without a parent */
    char *uri;          /* as it was written, without the section */
    char *spec;         /* that, as it is shown (source_shown()) */
    char *section;      /* NULL: liege and uwsgi */
    bool has_parts;     /* it holds several vassals (part.h) */
    bool is_part;       /* @section is one of them: what is common to all counts as well */
    char *path;         /* absolute; made up if it is no file (source_path()) */
    struct trust trust; /* what its text may do */
    const struct format *format;
    struct magic_file magic;
};

/* An `inherit` that waits until everything else has been read. */
struct load_inherit {
    struct conf_setting setting;
    struct load_frame *frame; /* where it was said */
};

struct loader {
    const struct conf_input *in;
    struct lookup lookup;
    struct conf *conf; /* takes files, warnings, env ... */
    struct settings list;
    struct liege_list ienv;  /* NAME=VALUE for $(NAME) */
    struct trust ienv_trust; /* the weakest of those who said one */
    struct source_world sources;
    struct source_cache own_cache; /* of the sources, if the caller has none */
    struct load_inherit *inherits;
    size_t n_inherits;
    struct load_frame *newest; /* of all frames */
    struct load_frame *frame;  /* the file being read, or NULL */
    struct trust trust;        /* of what is being said there */
    struct magic magic;
    struct logic logic;
    struct settings declared; /* options: what they stand for is the value */
    unsigned declare_depth;   /* of declared options in each other */
    char *mode;               /* whose lines of XML files count; NULL: none's */
    size_t n_files;
    char *cwd;
    struct errmsg *err;
};

int loader_init(struct loader *l, const struct conf_input *in, struct conf *conf,
                struct errmsg *err) _must_check_;
void loader_done(struct loader *l);

/* The one way into the list: a front end says @key = @value, at @file and @line. Blocks decide
 * whether and how often it counts. Does not keep the pointers. Returns 0 or a negative errno with a
 * complete l->err. */
int loader_add(struct loader *l, const char *key, const char *value, const char *file,
               unsigned line) _must_check_;

/* @s counts: immediate meta options are acted on (files are read, here and now), the rest is
 * appended. Returns as loader_add(). */
int loader_act(struct loader *l, const struct conf_setting *s) _must_check_;

/* Expands the value of @s with what is set so far. *@ret is allocated; *@ret_trust (may be NULL) is
 * what it may do. Returns as loader_add(). */
int loader_expand(struct loader *l, const struct conf_setting *s, char **ret,
                  struct trust *ret_trust) _must_check_;

/* What values are expanded with now. */
struct expand_world loader_world(const struct loader *l);

enum load_kind {
    LOAD_CONFIG,  /* the first of these is the configuration that %N means */
    LOAD_INCLUDE, /* a part or a template */
};

/* Reads the file that @s->value names, which was said in @parent (or NULL). */
int loader_read_file(struct loader *l, const struct conf_setting *s, struct load_frame *parent,
                     enum load_kind kind) _must_check_;

/* Reads what was inherited, and expands all. */
int loader_finish(struct loader *l) _must_check_;
