/* SPDX-License-Identifier: MIT */
/* The command line as a front end: --name value, --name=value, --na for the only name that starts
 * so, short letters with their value behind them or next, "--" to end the options, and bare words,
 * which are configuration files or applications.
 *
 * Words count in the order in which they stand, bare ones too, so that in "app.ini --workers 4" the
 * 4 counts. Flags never take the next word. An unknown option is an error at once: behind it
 * nothing could be told apart. Called by conf.c. */
#include "conf/cmdline.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/strv.h"
#include "conf/declare.h"
#include "conf/format.h"
#include "conf/load.h"
#include "conf/meta.h"
#include "conf/option.h"
#include "conf/source.h"
#include "conf/uwsgi-names.h"

static const char where[] = "command line";

struct words {
    struct loader *l;
    const char *const *next;
};

/* Appends the option's setting, taking its value from @attached (behind '=' or a letter; NULL:
 * there is none) or from the next word. @said is the option as the user wrote it. */
static int add_option(struct words *w, const struct liege_option *row, const char *key,
                      const char *said, const char *attached)
{
    char accepted[128];
    const char *value = attached ? attached : "";

    if (!attached && option_wants_value(row)) {
        if (!*w->next)
            return errmsg_set(w->l->err, -EINVAL, "%s: %s: the value is missing, %s", where, said,
                              option_accepted(row, accepted, sizeof(accepted)));
        value = *w->next++;
    }
    return loader_add(w->l, key, value, where, 0);
}

/* As add_option(), for an option that a configuration has declared. */
static int add_declared(struct words *w, const struct conf_setting *declared, const char *name,
                        const char *attached)
{
    if (attached || !declare_wants_value(declared))
        return loader_add(w->l, name, attached ? attached : "", where, 0);
    if (!*w->next)
        return errmsg_set(w->l->err, -EINVAL, "%s: --%s: the value is missing", where, name);
    return loader_add(w->l, name, *w->next++, where, 0);
}

static int refuse_long(struct words *w, const char *name, const char *candidates)
{
    char hint[128];
    struct shown shown;

    if (candidates[0] != '\0')
        return errmsg_set(w->l->err, -EINVAL, "%s: '--%s' may mean %s", where,
                          setting_shown(name, &shown), candidates);
    return errmsg_set(w->l->err, -EINVAL, "%s: unknown option '--%s'%s", where,
                      setting_shown(name, &shown),
                      lookup_suggest(&w->l->lookup, "--", name, hint, sizeof(hint)));
}

/* @word is behind the two dashes. */
static int read_long(struct words *w, const char *word)
{
    size_t len = strcspn(word, "=");
    const char *attached = word[len] == '=' ? word + len + 1 : NULL;
    char candidates[256], name[128], said[sizeof(name) + 2];

    if (len == 0 || len >= sizeof(name))
        return refuse_long(w, word, "");
    (void)snprintf(name, sizeof(name), "%.*s", (int)len, word);
    (void)snprintf(said, sizeof(said), "--%s", name);

    const struct liege_option *row = lookup_exact(&w->l->lookup, name);
    if (row)
        return add_option(w, row, name, said, attached);
    const struct conf_setting *declared = declare_find(w->l, name);
    if (declared)
        return add_declared(w, declared, name, attached);
    if (meta_is_unsupported(name))
        return loader_add(w->l, name, "", where, 0); /* says so */
    if (uwsgi_has_option(name))
        return errmsg_set(w->l->err, -ENOTSUP,
                          "%s: '--%s' is an option of uWSGI that liege does not have", where, name);
    row = lookup_prefix(&w->l->lookup, name, len, candidates, sizeof(candidates));
    if (!row)
        return refuse_long(w, name, candidates);
    return add_option(w, row, row->name, said, attached);
}

/* @word is behind the dash: one letter or several, of which only the last may take a value. */
static int read_short(struct words *w, const char *word)
{
    for (; *word != '\0'; word++) {
        const struct liege_option *row = lookup_short(&w->l->lookup, *word);
        char said[] = {'-', *word, '\0'};

        if (!row && isprint((unsigned char)*word))
            return errmsg_set(w->l->err, -EINVAL, "%s: unknown option '-%c'", where, *word);
        if (!row)
            return errmsg_set(w->l->err, -EINVAL, "%s: unknown option '-\\x%02x'", where,
                              (unsigned char)*word);

        bool ends = option_wants_value(row) || (row->flags & LIEGE_OPTION_VALUELESS);
        int r = add_option(w, row, row->name, said, ends && word[1] != '\0' ? word + 1 : NULL);
        if (r < 0 || ends)
            return r;
    }
    return 0;
}

/* True if @word ends in one of the @endings, which are separated by blanks. */
static bool ends_in(const char *word, const char *endings)
{
    size_t n_word = strlen(word);

    for (const char *at = endings; *at != '\0'; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");
        if (len > 0 && n_word > len && memcmp(word + n_word - len, at, len) == 0)
            return true;
        at += len;
    }
    return false;
}

/* "app.ini", "app.ini:section", ":section", "-", "exec://COMMAND" */
static bool is_config(const char *word)
{
    const char *colon = strrchr(word, ':');
    char name[4096];

    if (colon == word || format_of_name(word) || !source_is_file(word))
        return true;
    if (!colon || (size_t)(colon - word) >= sizeof(name))
        return false;
    (void)snprintf(name, sizeof(name), "%.*s", (int)(colon - word), word);
    return format_of_name(name) != NULL;
}

static int read_bare(struct words *w, const char *word)
{
    const struct conf_input *in = w->l->in;
    char known[256] = "", endings[64];
    size_t used = 0;
    struct shown shown;

    if (is_config(word))
        return loader_add(w->l, "config", word, where, 0);
    for (size_t i = 0; i < in->n_suffixes; i++)
        if (ends_in(word, in->suffixes[i].suffixes))
            return loader_add(w->l, in->suffixes[i].key, word, where, 0);

    for (size_t i = 0; i < in->n_suffixes && used < sizeof(known); i++)
        used +=
            (size_t)snprintf(known + used, sizeof(known) - used, " %s", in->suffixes[i].suffixes);
    return errmsg_set(w->l->err, -EINVAL, "%s: '%s' is no option, no configuration file (%s)%s%s%s",
                      where, setting_shown(word, &shown), format_endings(endings, sizeof(endings)),
                      used > 0 ? " and no application (" : "", used > 0 ? known + 1 : "",
                      used > 0 ? ")" : "");
}

int cmdline_read(struct loader *l)
{
    struct words w = {.l = l, .next = l->in->argv};
    bool options = true;
    int r = 0;

    if (!w.next || !*w.next)
        return 0;
    w.next++; /* the program's name */
    while (r == 0 && *w.next) {
        const char *word = *w.next++;

        if (options && strcmp(word, "--") == 0)
            options = false;
        else if (options && str_starts(word, "--"))
            r = read_long(&w, word + 2);
        else if (options && word[0] == '-' && word[1] != '\0')
            r = read_short(&w, word + 1);
        else
            r = read_bare(&w, word);
    }
    return r;
}

/* The row of the option that @word is, or of one of its letters that asks something; or NULL. */
static const struct liege_option *find_asking(const struct lookup *lookup, const char *word)
{
    const struct liege_option *row = NULL;
    char candidates[256], name[128];

    if (str_starts(word, "--")) {
        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
        row = lookup_exact(lookup, name);
        return row ? row
                   : lookup_prefix(lookup, name, strlen(name), candidates, sizeof(candidates));
    }
    for (const char *letter = word; *word == '-' && *++letter != '\0';) {
        row = lookup_short(lookup, *letter);
        if (row && meta_asks(row))
            return row;
    }
    return NULL;
}

bool cmdline_asks(const struct conf_input *in)
{
    const struct lookup lookup = {in->tables, in->n_tables};

    for (const char *const *word = in->argv; word && *word; word++) {
        const struct liege_option *row = find_asking(&lookup, *word);
        if (row && meta_asks(row))
            return true;
    }
    return false;
}
