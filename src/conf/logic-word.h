/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>

#include "base/macro.h"
#include "conf/conf.h"
#include "conf/trust.h"

struct loader;

enum logic_role {
    LOGIC_IF,
    LOGIC_FOR,
    LOGIC_BLACKLIST,
    LOGIC_WHITELIST,
    LOGIC_ELSE,
    LOGIC_END,
};

/* What %(_) may be. */
struct logic_values {
    struct liege_list items;
    struct trust trust; /* the weakest of what they come from */
};

/* Reads the argument @arg, which is expanded, of the keyword that stands at @s, and appends to @ret
 * what %(_) is to be; @s->trust is that in the argument, and in @ret already: for a loop every
 * item, for an if, which returns 1 where it holds and 0 where not, what it matched, if anything.
 * Else a negative errno with a complete message. */
typedef int logic_fn(struct loader *l, const struct conf_setting *s, const char *arg,
                     struct logic_values *ret);

/* What a keyword does; its names and help are in a row of conf_logic_table. */
struct logic_word {
    const char *name;
    enum logic_role role;
    const char *end;    /* of an opener: what closes it; of what closes: its own name */
    logic_fn *evaluate; /* of if and for */
    bool negated;       /* an if-not */
};

/* The keyword of that name or alias, or NULL. */
const struct logic_word *logic_find_word(const char *name);

/* The conditions (logic-if.c). */
logic_fn logic_if_env, logic_if_opt, logic_if_exists, logic_if_file, logic_if_dir, logic_if_plugin,
    logic_if_reload, logic_if_hostname, logic_if_hostname_match;

/* The loops, and the words of a list of options (logic-for.c). */
logic_fn logic_for, logic_for_glob, logic_for_times, logic_for_readline;
