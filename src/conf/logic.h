/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/macro.h"
#include "conf/logic-word.h"
#include "conf/settings.h"

struct loader;
struct logic_word;

#define LOGIC_NESTING_MAX 32
#define LOGIC_LINES_MAX   100000 /* that loops say, items that they go through ..., in one load */

/* What becomes of the lines in a block. */
enum logic_mode {
    LOGIC_RUN,    /* they count */
    LOGIC_SKIP,   /* they do not */
    LOGIC_RECORD, /* they are kept until the outermost loop ends, and count then for each item */
};

/* A block that was opened and is not closed yet. */
struct logic_block {
    const struct logic_word *word; /* that opened it */
    char *file;                    /* where it was opened */
    unsigned line;
    enum logic_mode mode;
    bool dead;                  /* an if none of whose branches may count any more */
    bool has_else;              /* an if whose else was met */
    struct logic_values values; /* of a loop: its items; of a list of options: their names; of an
                                   if: what it matched, or nothing */
    const char *item;           /* %(_), one of @values; NULL: that of the block around */
    size_t n_done;              /* of a loop: the items that it is through with */
    size_t first;         /* of a loop in a loop: where its lines start in what was recorded */
    struct settings body; /* of an outermost loop: what was recorded */
};

/* The blocks of a load, the outermost first. All zero is none. */
struct logic {
    struct logic_block blocks[LOGIC_NESTING_MAX];
    size_t n_blocks;
    size_t base; /* the blocks below belong to the files around, and are not closed in this one */
    size_t recorder; /* the loop that records, in the mode LOGIC_RECORD */
    size_t n_lines;  /* counts to LOGIC_LINES_MAX */
};

void logic_done(struct logic *logic);

/* Takes @s, a line of a file: a keyword opens or closes a block, another line counts now
 * (loader_act()), later or not at all, as the blocks around it say. Returns 0, or a negative errno
 * with a complete message. */
int logic_line(struct loader *l, const struct conf_setting *s) _must_check_;

/* Counts @n lines or items that @s makes of itself. Returns 0, or -E2BIG with a complete message
 * when that are too many. */
int logic_count(struct loader *l, const struct conf_setting *s, size_t n) _must_check_;

/* As loader_expand(), which goes through all settings: counts that too. */
int logic_expand(struct loader *l, const struct conf_setting *s, char **ret,
                 struct trust *ret_trust) _must_check_;

/* A file begins: it cannot close what is open. Returns what logic_leave() wants. */
size_t logic_enter(struct logic *logic);

/* The file has ended, and is to have closed what it opened. Returns as logic_line(). */
int logic_leave(struct loader *l, size_t outer) _must_check_;
