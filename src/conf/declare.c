/* SPDX-License-Identifier: MIT */
/* Options that a configuration makes itself: "declare-option = site=http-socket=$1;module=$2.wsgi",
 * and then "site = :8080 shop". The words of the value take the places of $1, $2 and so on; a word
 * that is wanted and not there is an error.
 *
 * What an option stands for is said as if it stood in its place, so it may be anything that a file
 * may say, other declared options included, and forbidden by a blacklist as anything else. Bounds:
 * 16 declared options in each other, and what loops may say in all. Called by load.c and by the
 * command line. */
#include "conf/declare.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"
#include "conf/load.h"
#include "conf/logic-word.h"
#include "conf/uwsgi-names.h"

#define DEPTH_MAX 16

static const char blanks[] = " \t\r\n";

/* Cuts blanks off both ends of @text in place. */
static char *trim(char *text)
{
    size_t len = strlen(text);

    while (len > 0 && strchr(blanks, text[len - 1]))
        len--;
    text[len] = '\0';
    return text + strspn(text, blanks);
}

/* Splits @text at the first '='; without one the value is empty. */
static char *split(char *text, char **ret_value)
{
    char *equals = strchr(text, '=');

    *ret_value = text + strlen(text);
    if (equals) {
        *equals = '\0';
        *ret_value = trim(equals + 1);
    }
    return trim(text);
}

static int refuse(struct loader *l, const struct conf_setting *s, const char *name, const char *why)
{
    struct shown shown;

    (void)errmsg_set(l->err, 0, "%s: '%s' %s", s->key, setting_shown(name, &shown), why);
    return setting_blame(s, -EINVAL, l->err);
}

int declare_option(struct loader *l, const struct conf_setting *s)
{
    _cleanup_(buf_done) struct buf text = {0};
    int r = buf_append(&text, s->value, strlen(s->value) + 1);

    if (r < 0)
        return r;
    char *value = NULL, *name = split(buf_at(&text), &value);
    if (*name == '\0' || *value == '\0')
        return refuse(l, s, s->value, "is not NAME=OPTION=VALUE;OPTION=VALUE...");
    if (lookup_exact(&l->lookup, name) || uwsgi_has_option(name))
        return refuse(l, s, name, "is an option already");
    if (declare_find(l, name))
        return refuse(l, s, name, "is declared already");
    return settings_append(
        &l->declared,
        &(struct conf_setting){
            .key = name, .value = value, .file = s->file, .line = s->line, .trust = s->trust});
}

const struct conf_setting *declare_find(const struct loader *l, const char *name)
{
    for (size_t i = 0; i < l->declared.n_items; i++)
        if (strcmp(l->declared.items[i].key, name) == 0)
            return &l->declared.items[i];
    return NULL;
}

/* The next $N in @text with N from 1 on, or NULL. */
static const char *find_place(const char *text)
{
    for (; (text = strchr(text, '$')); text++)
        if (text[1] >= '1' && text[1] <= '9')
            return text;
    return NULL;
}

bool declare_wants_value(const struct conf_setting *declared)
{
    return find_place(declared->value) != NULL;
}

/* Appends @text with each $N replaced by that one of @words, and terminates it. */
static int fill(struct loader *l, const struct conf_setting *s, const char *text,
                const struct liege_list *words, struct buf *out)
{
    int r = 0;

    for (const char *place = NULL; r == 0 && (place = find_place(text));) {
        char *end = NULL;
        unsigned long n = strtoul(place + 1, &end, 10);
        if (n > words->n_items) {
            (void)errmsg_set(l->err, 0, "%s: $%lu is wanted, and the value has %zu words", s->key,
                             n, words->n_items);
            return setting_blame(s, -EINVAL, l->err);
        }
        r = buf_append(out, text, (size_t)(place - text));
        if (r == 0)
            r = buf_append(out, words->items[n - 1], strlen(words->items[n - 1]));
        text = end;
    }
    return r == 0 ? buf_append(out, text, strlen(text) + 1) : r;
}

/* Says one "KEY=VALUE" of what an option stands for. */
static int say(struct loader *l, const struct conf_setting *s, char *part,
               const struct liege_list *words)
{
    _cleanup_(buf_done) struct buf key = {0};
    _cleanup_(buf_done) struct buf value = {0};
    char *value_text = NULL, *key_text = split(part, &value_text);

    if (*key_text == '\0')
        return 0; /* a semicolon at the end */
    int r = fill(l, s, key_text, words, &key);
    if (r == 0)
        r = fill(l, s, value_text, words, &value);
    if (r == 0)
        r = logic_count(l, s, 1);
    return r < 0 ? r : loader_add(l, buf_at(&key), buf_at(&value), s->file, s->line);
}

static int say_all(struct loader *l, const struct conf_setting *s, const char *text)
{
    struct logic_values split = {0};
    _cleanup_(buf_done) struct buf parts = {0};
    int r = buf_append(&parts, text, strlen(text) + 1);

    if (r == 0)
        r = logic_for(l, s, s->value, &split);
    _cleanup_(strv_done) struct liege_list words = split.items;
    if (r < 0)
        return r;
    for (char *part = buf_at(&parts), *next = NULL; r == 0 && part; part = next) {
        next = strchr(part, ';');
        if (next)
            *next++ = '\0';
        r = say(l, s, part, &words);
    }
    return r;
}

int declare_act(struct loader *l, const struct conf_setting *s)
{
    const struct conf_setting *declared = s->placeholder ? NULL : declare_find(l, s->key);

    if (!declared)
        return 0;
    if (l->declare_depth == DEPTH_MAX)
        return refuse(l, s, s->key, "stands for options that are declared more than 16 deep");
    struct trust outer = l->trust;
    l->trust = trust_weaker(trust_weaker(l->trust, s->trust), declared->trust);
    l->declare_depth++;
    int r = say_all(l, s, declared->value);
    l->declare_depth--;
    l->trust = outer;
    return r < 0 ? r : 1;
}
