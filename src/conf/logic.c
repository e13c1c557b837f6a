/* SPDX-License-Identifier: MIT */
/* Blocks in the stream of settings: if, for, and lists of options, in any format and nested in each
 * other (reference: docs/configuration.md).
 *
 * Every line passes here. Outside of blocks it counts at once; in the branch of an if that does not
 * hold it is dropped; in a loop it is recorded, and at the end of the outermost one what was
 * recorded is played for each item, the loops in it by going back to their first line. %(_) becomes
 * the item of the innermost block that has one. A file closes the blocks that it opens, and no
 * others. Bounds: 32 blocks in each other, and 100000 lines and items of all loops, so that a short
 * file cannot become an endless one. Called by load.c. */
#include "conf/logic.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"
#include "conf/load.h"
#include "conf/logic-word.h"

static const char item_name[] = "%(_)";

static void block_done(struct logic_block *b)
{
    free(b->file);
    strv_done(&b->values.items);
    settings_done(&b->body);
    *b = (struct logic_block){0};
}

static void pop(struct logic *logic)
{
    block_done(&logic->blocks[--logic->n_blocks]);
}

void logic_done(struct logic *logic)
{
    while (logic->n_blocks > 0)
        pop(logic);
}

static struct logic_block *innermost(struct logic *logic)
{
    return logic->n_blocks > 0 ? &logic->blocks[logic->n_blocks - 1] : NULL;
}

static enum logic_mode mode_of(struct logic *logic)
{
    const struct logic_block *b = innermost(logic);

    return b ? b->mode : LOGIC_RUN;
}

int logic_count(struct loader *l, const struct conf_setting *s, size_t n)
{
    l->logic.n_lines += n;
    if (l->logic.n_lines <= LOGIC_LINES_MAX)
        return 0;
    (void)errmsg_set(l->err, 0, "blocks and declared options make more than %d lines",
                     LOGIC_LINES_MAX);
    return setting_blame(s, -E2BIG, l->err);
}

int logic_expand(struct loader *l, const struct conf_setting *s, char **ret,
                 struct trust *ret_trust)
{
    int r = strpbrk(s->value, "$@%") ? logic_count(l, s, l->list.n_items / 4) : 0;

    return r < 0 ? r : loader_expand(l, s, ret, ret_trust);
}

/* The block whose item %(_) is, or NULL. */
static const struct logic_block *current_block(const struct logic *logic)
{
    for (size_t i = logic->n_blocks; i > 0; i--)
        if (logic->blocks[i - 1].item)
            return &logic->blocks[i - 1];
    return NULL;
}

/* Appends @text to @out with %(_) replaced, and terminates it; weakens @trust to that in it. */
static int substitute(const struct logic *logic, const char *text, struct buf *out,
                      struct trust *trust)
{
    const struct logic_block *b = current_block(logic);
    int r = 0;

    for (const char *found = NULL; r == 0 && b && (found = strstr(text, item_name));
         text = found + strlen(item_name)) {
        r = buf_append(out, text, (size_t)(found - text));
        if (r == 0)
            r = buf_append(out, b->item, strlen(b->item));
        *trust = trust_weaker(*trust, b->values.trust);
    }
    return r == 0 ? buf_append(out, text, strlen(text) + 1) : r;
}

/* True if the words of @names have the option that @key is a name of. */
static bool has_option(const struct loader *l, const struct liege_list *names, const char *key)
{
    const struct liege_option *row = lookup_exact(&l->lookup, key);

    for (size_t i = 0; i < names->n_items; i++)
        if (strcmp(names->items[i], key) == 0 || (row && option_has_name(row, names->items[i])))
            return true;
    return false;
}

/* May the blocks around it say @s? What is inherited is read when they have long ended. */
static int check_lists(struct loader *l, const struct conf_setting *s)
{
    for (size_t i = 0; i < l->logic.n_blocks; i++) {
        const struct logic_block *b = &l->logic.blocks[i];
        bool white = b->word->role == LOGIC_WHITELIST;
        struct shown shown;

        if (!white && b->word->role != LOGIC_BLACKLIST)
            continue;
        if (strcmp(s->key, "inherit") != 0 && has_option(l, &b->values.items, s->key) == white)
            continue;
        (void)errmsg_set(l->err, 0, "'%s' is forbidden by the %s at %s:%u",
                         setting_shown(s->key, &shown), b->word->name, b->file, b->line);
        return setting_blame(s, -EPERM, l->err);
    }
    return 0;
}

/* @s counts. */
static int let_through(struct loader *l, const struct conf_setting *s)
{
    _cleanup_(buf_done) struct buf key = {0};
    _cleanup_(buf_done) struct buf value = {0};
    struct conf_setting said = *s;
    int r = 0;

    if (strstr(s->key, item_name) || strstr(s->value, item_name)) {
        r = substitute(&l->logic, s->key, &key, &said.trust);
        if (r == 0)
            r = substitute(&l->logic, s->value, &value, &said.trust);
        if (r < 0)
            return r;
        said.key = buf_at(&key);
        said.value = buf_at(&value);
    }
    r = check_lists(l, &said);
    return r < 0 ? r : loader_act(l, &said);
}

static int record(struct logic *logic, const struct conf_setting *s)
{
    return settings_append(&logic->blocks[logic->recorder].body, s);
}

/* The argument of a keyword, with all variables expanded. */
static int expand_argument(struct loader *l, const struct conf_setting *s, char **ret,
                           struct trust *ret_trust)
{
    _cleanup_(buf_done) struct buf value = {0};
    struct conf_setting said = *s;
    int r = substitute(&l->logic, s->value, &value, &said.trust);

    if (r < 0)
        return r;
    said.value = buf_at(&value);
    return logic_expand(l, &said, ret, ret_trust);
}

/* A loop begins. In one that is played, at @next, its lines are there already. */
static int begin_loop(struct loader *l, struct logic_block *b, const struct conf_setting *s,
                      const size_t *next)
{
    if (!next) {
        l->logic.recorder = l->logic.n_blocks;
        b->mode = LOGIC_RECORD;
    } else if (b->values.items.n_items == 0) {
        b->mode = LOGIC_SKIP;
    } else {
        b->first = *next;
        b->item = b->values.items.items[0];
    }
    return logic_count(l, s, b->values.items.n_items);
}

/* An if begins, whose condition holds or not. */
static int begin_if(struct logic_block *b, bool holds, const char *arg)
{
    int r = !holds && b->word->negated ? strv_append(&b->values.items, arg) : 0;

    b->mode = holds != b->word->negated ? LOGIC_RUN : LOGIC_SKIP;
    if (b->mode == LOGIC_RUN && b->values.items.n_items > 0)
        b->item = b->values.items.items[0];
    return r;
}

/* Decides what the block @b, just opened by @s, makes of its lines. */
static int begin(struct loader *l, struct logic_block *b, const struct conf_setting *s,
                 const size_t *next)
{
    _cleanup_free_ char *arg = NULL;
    struct conf_setting with = *s;
    int r = expand_argument(l, s, &arg, &with.trust);

    b->values.trust = with.trust;
    if (r == 0)
        r = b->word->evaluate(l, &with, arg, &b->values);
    if (r < 0)
        return r;
    if (b->word->role == LOGIC_FOR)
        return begin_loop(l, b, s, next);
    return b->word->role == LOGIC_IF ? begin_if(b, r > 0, arg) : 0;
}

static int open_block(struct loader *l, const struct conf_setting *s, const struct logic_word *word,
                      const size_t *next)
{
    struct logic *logic = &l->logic;
    enum logic_mode mode = mode_of(logic);

    if (logic->n_blocks == LOGIC_NESTING_MAX) {
        (void)errmsg_set(l->err, 0, "blocks are nested more than %d deep", LOGIC_NESTING_MAX);
        return setting_blame(s, -E2BIG, l->err);
    }
    struct logic_block *b = &logic->blocks[logic->n_blocks];
    *b = (struct logic_block){
        .word = word,
        .file = strdup(s->file),
        .line = s->line,
        .mode = mode,
        .dead = mode == LOGIC_SKIP,
    };
    int r = b->file ? 0 : -ENOMEM;
    if (r == 0 && mode == LOGIC_RECORD)
        r = record(logic, s);
    if (r == 0 && mode == LOGIC_RUN)
        r = begin(l, b, s, next);
    logic->n_blocks++;
    return r;
}

static int refuse_stray(struct loader *l, const struct conf_setting *s)
{
    const struct logic *logic = &l->logic;

    if (logic->n_blocks == logic->base) {
        (void)errmsg_set(l->err, 0, "there is no block that '%s' belongs to", s->key);
    } else {
        const struct logic_block *b = &logic->blocks[logic->n_blocks - 1];
        (void)errmsg_set(l->err, 0, "'%s' does not belong to '%s' at %s:%u, which wants '%s'",
                         s->key, b->word->name, b->file, b->line, b->word->end);
    }
    return setting_blame(s, -EINVAL, l->err);
}

static int on_else(struct loader *l, struct logic_block *b, const struct conf_setting *s)
{
    if (b->has_else) {
        (void)errmsg_set(l->err, 0, "a second 'else' of '%s' at %s:%u", b->word->name, b->file,
                         b->line);
        return setting_blame(s, -EINVAL, l->err);
    }
    b->has_else = true;
    b->item = NULL;
    if (b->mode == LOGIC_RECORD)
        return record(&l->logic, s);
    b->mode = b->mode == LOGIC_RUN || b->dead ? LOGIC_SKIP : LOGIC_RUN;
    return 0;
}

/* Returns 1 if this is the end of what was recorded. */
static int close_block(struct logic *logic, struct logic_block *b, const struct conf_setting *s,
                       size_t *next)
{
    int r = 0;

    if (b->mode == LOGIC_RECORD && b == &logic->blocks[logic->recorder])
        return 1;
    if (b->mode == LOGIC_RECORD)
        r = record(logic, s);
    if (b->mode == LOGIC_RUN && b->word->role == LOGIC_FOR &&
        ++b->n_done < b->values.items.n_items) {
        assert(next); /* a loop whose lines count is being played */
        b->item = b->values.items.items[b->n_done];
        *next = b->first;
        return 0;
    }
    pop(logic);
    return r;
}

/* Takes a line of a file, or, where @next is not NULL, one that was recorded; *@next is then the
 * position behind it. Returns 1 if the innermost block is a loop whose lines are to be played. */
static int take_line(struct loader *l, const struct conf_setting *s, size_t *next)
{
    struct logic *logic = &l->logic;
    const struct logic_word *word = logic_find_word(s->key);
    struct logic_block *b = innermost(logic);
    enum logic_mode mode = mode_of(logic);

    if (!word && mode == LOGIC_RUN)
        return let_through(l, s);
    if (!word)
        return mode == LOGIC_RECORD ? record(logic, s) : 0;
    if (word->role != LOGIC_ELSE && word->role != LOGIC_END)
        return open_block(l, s, word, next);
    if (logic->n_blocks == logic->base || strcmp(b->word->end, word->end) != 0)
        return refuse_stray(l, s);
    return word->role == LOGIC_ELSE ? on_else(l, b, s) : close_block(logic, b, s, next);
}

/* Plays what the loop @b has recorded, for each item. */
static int play(struct loader *l, struct logic_block *b)
{
    int r = 0;

    b->mode = LOGIC_RUN;
    for (size_t i = 0; r == 0 && i < b->values.items.n_items; i++) {
        b->item = b->values.items.items[i];
        for (size_t next = 0; r == 0 && next < b->body.n_items;) {
            const struct conf_setting *s = &b->body.items[next++];
            r = logic_count(l, s, 1);
            if (r == 0)
                r = take_line(l, s, &next);
        }
    }
    return r;
}

int logic_line(struct loader *l, const struct conf_setting *s)
{
    int r = take_line(l, s, NULL);

    if (r <= 0)
        return r;
    r = play(l, innermost(&l->logic));
    if (r == 0)
        pop(&l->logic);
    return r;
}

size_t logic_enter(struct logic *logic)
{
    return TAKE(logic->base, logic->n_blocks);
}

int logic_leave(struct loader *l, size_t outer)
{
    struct logic *logic = &l->logic;
    const struct logic_block *b = innermost(logic);

    if (logic->n_blocks > logic->base) {
        const struct conf_setting s = {.file = b->file, .line = b->line};
        (void)errmsg_set(l->err, 0, "'%s' has no '%s'", b->word->name, b->word->end);
        return setting_blame(&s, -EINVAL, l->err);
    }
    logic->base = outer;
    return 0;
}
