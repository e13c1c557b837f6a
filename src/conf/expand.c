/* SPDX-License-Identifier: MIT */
/* Variables in values: $(NAME) of the environment, @(file), and %(name) of other settings.
 *
 * Three passes over each value, in that order. A value that %(name) refers to is expanded itself
 * before it is used, so the order of definitions does not matter and each value is expanded once;
 * what comes out of a pass is not scanned again by the same pass. A cycle is an error with the
 * place where it was noticed. Bounds: 1 MiB for a value, 64 nested parentheses, 64 references
 * behind each other.
 *
 * Called by load.c: early for the names of files to include, and once for the whole list. */
#include "conf/expand.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/hash.h"
#include "base/strv.h"
#include "conf/arith.h"
#include "conf/source.h"

#define NESTING_MAX 64

enum state { RAW, BUSY, DONE };

struct expander {
    struct settings *list;
    const struct expand_world *world;
    struct hash names; /* the first setting of each name */
    struct buf states; /* an enum state in a byte for each setting */
    unsigned depth;
    bool blamed; /* the message names its place already */
    struct errmsg *err;
};

/* A %(...) under evaluation, for the lookups of its pipeline. */
struct reference {
    struct expander *x;
    struct conf_setting *in; /* whose value it stands in */
};

/* Appends what stands for the expression with @inner between its parentheses. Returns 1, 0 to leave
 * the expression as it is, or a negative errno. */
typedef int replace_fn(struct expander *x, struct conf_setting *s, const char *inner,
                       struct buf *out);

/* @text is behind a '('. Returns what is before the ')' that belongs to it, or -1. */
static ssize_t inner_length(const char *text, size_t len)
{
    unsigned open = 1;

    for (size_t i = 0; i < len && open <= NESTING_MAX; i++) {
        if (text[i] == '(')
            open++;
        else if (text[i] == ')' && --open == 0)
            return (ssize_t)i;
    }
    return -1;
}

static int append(struct expander *x, struct buf *out, const char *text, size_t len)
{
    if (len > VALUE_MAX_BYTES - buf_len(out))
        return errmsg_set(x->err, -E2BIG, "the value is longer than 1 MiB");
    return buf_append(out, text, len);
}

/* Handles text[0 .. len), which starts with the mark of an expression, and sets *@ret_used to what
 * of it was used: the expression, or only the mark where none follows. */
static int replace_one(struct expander *x, struct conf_setting *s, replace_fn *replace,
                       const char *text, size_t len, struct buf *out, size_t *ret_used)
{
    _cleanup_(buf_done) struct buf inner = {0};
    ssize_t n_inner = len > 2 && text[1] == '(' ? inner_length(text + 2, len - 2) : -1;

    *ret_used = 1;
    if (n_inner < 0)
        return append(x, out, text, 1);

    *ret_used = (size_t)n_inner + 3;
    int r = buf_append(&inner, text + 2, (size_t)n_inner);
    if (r == 0)
        r = buf_append(&inner, "", 1);
    if (r == 0)
        r = replace(x, s, buf_at(&inner), out);
    return r == 0 ? append(x, out, text, *ret_used) : r;
}

/* Copies text[0 .. len) to @out with each expression that starts with @mark and '(' replaced. */
static int replace_all(struct expander *x, struct conf_setting *s, char mark, replace_fn *replace,
                       const char *text, size_t len, struct buf *out)
{
    const char *end = text + len;

    while (text < end) {
        const char *found = memchr(text, mark, (size_t)(end - text));
        const char *plain_end = found ? found : end;
        size_t used = 0;
        int r = append(x, out, text, (size_t)(plain_end - text));

        if (r == 0 && found)
            r = replace_one(x, s, replace, found, (size_t)(end - found), out, &used);
        if (r < 0)
            return r;
        text = plain_end + used;
    }
    return 0;
}

/* The value of NAME in a list of NAME=VALUE, or NULL. */
static const char *env_find(const char *const *list, const char *name, size_t len)
{
    for (; list && *list; list++)
        if (strncmp(*list, name, len) == 0 && (*list)[len] == '=')
            return *list + len + 1;
    return NULL;
}

const char *expand_getenv(const struct expand_world *world, const char *name, size_t len,
                          struct trust *trust)
{
    const char *value = env_find((const char *const *)world->ienv->items, name, len);

    if (value)
        *trust = trust_weaker(*trust, world->ienv_trust);
    return value ? value : env_find(world->environ, name, len);
}

/* $(NAME), $(NAME:-default), $(NAME-default) */
static int replace_env(struct expander *x, struct conf_setting *s, const char *inner,
                       struct buf *out)
{
    static const char name_chars[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    size_t n_name = strspn(inner, name_chars);
    const char *rest = inner + n_name;
    size_t n_mark = str_starts(rest, ":-") ? 2 : *rest == '-';

    if (n_name == 0 || (*rest != '\0' && n_mark == 0))
        return 0;

    const char *value = expand_getenv(x->world, inner, n_name, &s->trust);
    int r = 0;
    if (value)
        r = append(x, out, value, strlen(value));
    else if (n_mark > 0)
        r = replace_all(x, s, '$', replace_env, rest + n_mark, strlen(rest + n_mark), out);
    else
        return 0;
    return r < 0 ? r : 1;
}

/* @(file) */
static int replace_source(struct expander *x, struct conf_setting *s, const char *inner,
                          struct buf *out)
{
    struct source_text got = {0};
    struct shown shown;
    int r = source_read(x->world->sources, inner, &s->trust, VALUE_MAX_BYTES, &got, x->err);

    if (r < 0)
        return errmsg_prefix(x->err, r, "@()");
    _cleanup_free_ char *text = got.text;
    size_t len = got.len;
    if (memchr(text, '\0', len))
        return errmsg_set(x->err, -EINVAL, "@(%s): there is a NUL byte in the file",
                          source_shown(inner, &shown));
    if (len > 0 && text[len - 1] == '\n')
        len--;
    s->trust = trust_weaker(s->trust, got.trust);
    r = append(x, out, text, len);
    return r < 0 ? r : 1;
}

static int expand_setting(struct expander *x, struct conf_setting *s);

/* An arith_lookup_fn. */
static int lookup(void *userdata, const char *name, const char **ret, struct errmsg *err)
{
    struct reference *ref = userdata;
    struct conf_setting *found = hash_get(&ref->x->names, name);

    (void)err; /* the expander's, as ours */
    if (!found)
        return 0;
    found->referenced = true;

    int r = expand_setting(ref->x, found);
    if (r < 0)
        return r;
    ref->in->trust = trust_weaker(ref->in->trust, found->trust);
    *ret = found->value;
    return 1;
}

/* As lookup(), with a warning for a name that does not exist. */
static int lookup_or_warn(void *userdata, const char *name, const char **ret, struct errmsg *err)
{
    struct reference *ref = userdata;
    struct liege_list *warnings = ref->x->world->warnings;
    struct shown shown;
    int r = lookup(userdata, name, ret, err);

    if (r != 0 || !warnings)
        return r;
    return setting_warn(ref->in, warnings,
                        "nothing is called '%s', which %%() in the value of "
                        "'%s' refers to",
                        setting_shown(name, &shown), ref->in->key);
}

/* The values of these have %(variables) of their own, which are the request's. */
static bool has_own_variables(const char *key)
{
    static const char *const keys[] = {"log-format", "logformat"};

    for (size_t i = 0; i < COUNT_OF(keys); i++)
        if (strcmp(key, keys[i]) == 0)
            return true;
    return false;
}

/* %(name) and %(name + 1) */
static int replace_name(struct expander *x, struct conf_setting *s, const char *inner,
                        struct buf *out)
{
    struct reference ref = {.x = x, .in = s};
    arith_lookup_fn *look = has_own_variables(s->key) ? lookup : lookup_or_warn;
    _cleanup_(buf_done) struct buf result = {0};
    const char *value = "";
    int r = 0;

    if (strpbrk(inner, " \t")) {
        r = arith_eval(inner, strlen(inner), look, &ref, &result, x->err);
        if (r == 0)
            r = append(x, out, result.data ? buf_at(&result) : "", buf_len(&result));
        return r < 0 ? r : 1;
    }
    r = look(&ref, inner, &value, x->err);
    if (r <= 0)
        return r;
    r = append(x, out, value, strlen(value));
    return r < 0 ? r : 1;
}

static int expand_pass(struct expander *x, struct conf_setting *s, char mark, replace_fn *replace)
{
    _cleanup_(buf_done) struct buf out = {0};

    if (!strchr(s->value, mark))
        return 0;
    int r = replace_all(x, s, mark, replace, s->value, strlen(s->value), &out);
    if (r == 0)
        r = buf_append(&out, "", 1);
    if (r < 0)
        return r;
    free(s->value);
    s->value = TAKE_PTR(out.data);
    return 0;
}

static int expand_passes(struct expander *x, struct conf_setting *s)
{
    if (strlen(s->value) > VALUE_MAX_BYTES)
        return errmsg_set(x->err, -E2BIG, "the value is longer than 1 MiB");

    int r = expand_pass(x, s, '$', replace_env);
    if (r == 0)
        r = expand_pass(x, s, '@', replace_source);
    if (r == 0)
        r = expand_pass(x, s, '%', replace_name);
    return r;
}

static int expand_setting(struct expander *x, struct conf_setting *s)
{
    char *state = buf_at(&x->states) + (s - x->list->items);
    struct shown shown;

    if (*state == DONE)
        return 0;
    if (*state == BUSY)
        return errmsg_set(x->err, -ELOOP, "%%(%s) refers to itself", setting_shown(s->key, &shown));
    if (x->depth == NESTING_MAX)
        return errmsg_set(x->err, -ELOOP, "more than %d %%() refer to each other", NESTING_MAX);

    *state = BUSY;
    x->depth++;
    int r = expand_passes(x, s);
    x->depth--;
    *state = DONE;
    if (r < 0 && !x->blamed) {
        x->blamed = true;
        return setting_blame(s, r, x->err);
    }
    return r;
}

static void expander_done(struct expander *x)
{
    hash_done(&x->names);
    buf_done(&x->states);
}

static int expander_init(struct expander *x)
{
    static const char raw = RAW;

    for (size_t i = 0; i < x->list->n_items; i++) {
        struct conf_setting *s = &x->list->items[i];
        int r = buf_append(&x->states, &raw, 1);
        if (r == 0)
            r = hash_put(&x->names, s->key, s);
        if (r < 0 && r != -EEXIST) /* the first of a name counts */
            return r;
    }
    return 0;
}

int expand_settings(struct settings *list, const struct expand_world *world, struct errmsg *err)
{
    _cleanup_(expander_done) struct expander x = {.list = list, .world = world, .err = err};
    int r = expander_init(&x);

    for (size_t i = 0; r == 0 && i < list->n_items; i++)
        r = expand_setting(&x, &list->items[i]);
    return r;
}

int expand_early(struct settings *list, const struct conf_setting *s,
                 const struct expand_world *world, char **ret, struct trust *ret_trust,
                 struct errmsg *err)
{
    _cleanup_(settings_done) struct settings copy = {0};
    _cleanup_(expander_done) struct expander x = {.list = &copy, .world = world, .err = err};
    bool plain = !strpbrk(s->value, "$@%");
    int r = 0;

    /* A copy, because what it refers to may still change its meaning by later definitions. */
    for (size_t i = 0; !plain && r == 0 && i < list->n_items; i++)
        r = settings_append(&copy, &list->items[i]);
    if (r == 0)
        r = settings_append(&copy, s);
    if (r == 0)
        r = expander_init(&x);
    if (r < 0)
        return r;

    struct conf_setting *last = &copy.items[copy.n_items - 1];
    r = expand_setting(&x, last);
    if (r < 0)
        return r;
    for (size_t i = 0; !plain && i < list->n_items; i++)
        list->items[i].referenced |= copy.items[i].referenced;
    if (ret_trust)
        *ret_trust = last->trust;
    *ret = TAKE_PTR(last->value);
    return 0;
}
