/* SPDX-License-Identifier: MIT */
/* Finding an option's row by its name, an alias, a letter, the start of its name, or a name that is
 * only similar.
 *
 * The tables are walked from front to end each time: a few hundred rows, and a configuration has a
 * few dozen settings. A one-letter alias is a short option of the command line and nothing else, so
 * that a file may have variables of one letter. */
#include "conf/lookup.h"

#include <stdio.h>
#include <string.h>

#include "conf/nearest.h"

/* The @i-th row of all tables, conf's own being the last ones; NULL past the end. */
static const struct liege_option *row_at(const struct lookup *l, size_t i)
{
    for (size_t t = 0; t < l->n_tables; t++) {
        if (i < l->tables[t].n_options)
            return &l->tables[t].options[i];
        i -= l->tables[t].n_options;
    }
    if (i < conf_meta_table.n_options)
        return &conf_meta_table.options[i];
    i -= conf_meta_table.n_options;
    return i < conf_logic_table.n_options ? &conf_logic_table.options[i] : NULL;
}

bool option_next_name(const struct liege_option *row, const char **pos, struct option_name *ret)
{
    if (!*pos) {
        *ret = (struct option_name){row->name, strlen(row->name)};
        *pos = row->aliases ? row->aliases : "";
        return true;
    }

    const char *start = *pos + strspn(*pos, " ");
    size_t len = strcspn(start, " ");
    *ret = (struct option_name){start, len};
    *pos = start + len;
    return len > 0;
}

bool option_has_name(const struct liege_option *row, const char *name)
{
    size_t len = strlen(name);
    const char *pos = NULL;
    struct option_name n;

    if (len < 2)
        return strcmp(row->name, name) == 0;
    while (option_next_name(row, &pos, &n))
        if (n.len == len && memcmp(n.text, name, len) == 0)
            return true;
    return false;
}

bool option_wants_value(const struct liege_option *row)
{
    return row->type != LIEGE_OPTION_FLAG && row->type != LIEGE_OPTION_ALWAYS &&
           !(row->flags & LIEGE_OPTION_VALUELESS);
}

const struct liege_option *conf_find_option(const struct conf_table *tables, size_t n_tables,
                                            const char *name, const struct conf_table **ret_table)
{
    for (size_t t = 0; t < n_tables; t++)
        for (size_t i = 0; i < tables[t].n_options; i++)
            if (option_has_name(&tables[t].options[i], name)) {
                if (ret_table)
                    *ret_table = &tables[t];
                return &tables[t].options[i];
            }
    return NULL;
}

const struct liege_option *lookup_exact(const struct lookup *l, const char *name)
{
    const struct liege_option *row = conf_find_option(l->tables, l->n_tables, name, NULL);

    if (!row)
        row = conf_find_option(&conf_meta_table, 1, name, NULL);
    return row ? row : conf_find_option(&conf_logic_table, 1, name, NULL);
}

const struct liege_option *lookup_short(const struct lookup *l, char letter)
{
    const struct liege_option *row = NULL;

    for (size_t i = 0; (row = row_at(l, i)); i++) {
        const char *pos = NULL;
        struct option_name n;

        while (option_next_name(row, &pos, &n))
            if (n.len == 1 && n.text[0] == letter)
                return row;
    }
    return NULL;
}

static bool starts_a_name(const struct liege_option *row, const char *name, size_t len)
{
    const char *pos = NULL;
    struct option_name n;

    while (option_next_name(row, &pos, &n))
        if (n.len > len && memcmp(n.text, name, len) == 0)
            return true;
    return false;
}

const struct liege_option *lookup_prefix(const struct lookup *l, const char *name, size_t len,
                                         char *ret_candidates, size_t size)
{
    const struct liege_option *row = NULL, *found = NULL;
    size_t n_found = 0, used = 0;

    ret_candidates[0] = '\0';
    for (size_t i = 0; (row = row_at(l, i)); i++) {
        if (!starts_a_name(row, name, len))
            continue;
        found = row;
        n_found++;
        if (used + strlen(row->name) + sizeof(", --, ...") > size) {
            (void)snprintf(ret_candidates + used, size - used, ", ...");
            break;
        }
        used += (size_t)snprintf(ret_candidates + used, size - used, "%s--%s", used > 0 ? ", " : "",
                                 row->name);
    }
    return n_found == 1 ? found : NULL;
}

const char *lookup_suggest(const struct lookup *l, const char *dashes, const char *name, char *text,
                           size_t size)
{
    const struct liege_option *row = NULL;
    struct nearest nearest;

    nearest_start(&nearest, name);
    for (size_t i = 0; (row = row_at(l, i)); i++) {
        const char *pos = NULL;
        struct option_name n;

        while (option_next_name(row, &pos, &n))
            nearest_offer(&nearest, n.text, n.len);
    }
    text[0] = '\0';
    if (nearest.name[0] != '\0')
        (void)snprintf(text, size, " (did you mean '%s%s'?)", dashes, nearest.name);
    return text;
}
