/* SPDX-License-Identifier: MIT */
/* The rows as text for people: --help, the options reference, the manual page, completion words.
 *
 * A row is described by two strings, its head ("-p, --processes, --workers N") and its body (help,
 * default, what is accepted); the formats differ in what they put around these. Called by the
 * command line and, through it, by the build of the documentation. */
#include "conf/doc.h"

#include <string.h>

#include "base/cleanup.h"
#include "conf/lookup.h"
#include "conf/option.h"

#define COLUMNS     80
#define BODY_COLUMN 28

typedef int row_fn(const struct liege_option *row, struct buf *out);

static int put(struct buf *out, const char *text)
{
    return buf_append(out, text, strlen(text));
}

/* " N", "[=N]" where the value may be left out, or nothing */
static int put_arg(const struct liege_option *row, struct buf *out)
{
    if (!row->arg)
        return 0;
    return buf_printf(out, row->flags & LIEGE_OPTION_VALUELESS ? "[=%s]" : " %s", row->arg);
}

/* "-p, --workers, --processes N": the short ones first. */
static int put_head(const struct liege_option *row, struct buf *out)
{
    size_t n_put = 0;
    int r = 0;

    for (int is_long = 0; is_long < 2; is_long++) {
        const char *pos = NULL;
        struct option_name n;

        while (r == 0 && option_next_name(row, &pos, &n))
            if ((n.len > 1) == is_long)
                r = buf_printf(out, "%s%s%.*s", n_put++ > 0 ? ", " : "", is_long ? "--" : "-",
                               (int)n.len, n.text);
    }
    return r == 0 ? put_arg(row, out) : r;
}

/* "help; default 1; a whole number from 1 to 64" */
static int put_body(const struct liege_option *row, struct buf *out)
{
    char accepted[128];
    bool is_number = row->type >= LIEGE_OPTION_UINT && row->type <= LIEGE_OPTION_MODE;
    int r = put(out, row->help);

    if (r == 0 && row->type == LIEGE_OPTION_ALWAYS)
        r = put(out, "; always so");
    if (r == 0 && row->type == LIEGE_OPTION_LIST)
        r = put(out, "; may be repeated");
    if (r == 0 && row->dflt)
        r = buf_printf(out, "; default %s", row->dflt);
    if (r == 0 && is_number)
        r = buf_printf(out, "; %s", option_accepted(row, accepted, sizeof(accepted)));
    return r;
}

/* Puts the words of @text, the first at @column, wrapped and indented. */
static int put_wrapped(struct buf *out, const char *text, size_t column)
{
    int r = buf_printf(out, "%*s", (int)(BODY_COLUMN > column ? BODY_COLUMN - column : 0), "");
    size_t at = BODY_COLUMN;

    while (r == 0 && *text != '\0') {
        size_t len = strcspn(text, " ");

        if (at > BODY_COLUMN && at + 1 + len > COLUMNS) {
            r = buf_printf(out, "\n%*s", BODY_COLUMN, "");
            at = BODY_COLUMN;
        } else if (at > BODY_COLUMN) {
            r = put(out, " ");
            at++;
        }
        if (r == 0)
            r = buf_append(out, text, len);
        at += len;
        text += len;
        text += strspn(text, " ");
    }
    return r == 0 ? put(out, "\n") : r;
}

static int terminate(struct buf *b)
{
    return buf_append(b, "", 1);
}

static int help_row(const struct liege_option *row, struct buf *out)
{
    _cleanup_(buf_done) struct buf head = {0}, body = {0};
    int r = put_head(row, &head);

    if (r == 0)
        r = put_body(row, &body);
    if (r == 0)
        r = terminate(&body);
    if (r == 0)
        r = put(out, "  ");
    if (r == 0)
        r = buf_append(out, buf_at(&head), buf_len(&head));

    size_t column = 2 + buf_len(&head);
    if (r == 0 && column + 2 > BODY_COLUMN) { /* too long: the body starts on a line of its own */
        r = put(out, "\n");
        column = 0;
    }
    return r == 0 ? put_wrapped(out, buf_at(&body), column) : r;
}

/* Puts "\n@before TITLE@after\n" and then the rows, for each table. */
static int put_tables(const struct conf_table *tables, size_t n_tables, const char *before,
                      const char *after, row_fn *fn, struct buf *out)
{
    for (size_t t = 0; t < n_tables; t++) {
        int r = buf_printf(out, "%s%s%s", before, tables[t].title, after);
        for (size_t i = 0; r == 0 && i < tables[t].n_options; i++)
            r = fn(&tables[t].options[i], out);
        if (r < 0)
            return r;
    }
    return 0;
}

int doc_help(const struct conf_table *tables, size_t n_tables, struct buf *out)
{
    return put_tables(tables, n_tables, "\n", ":\n", help_row, out);
}

/* Puts text[0 .. len) with @escape before each of the characters in @special. */
static int put_escaped(struct buf *out, const char *text, size_t len, const char *special,
                       const char *escape)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < len; i++) {
        if (strchr(special, text[i]))
            r = put(out, escape);
        if (r == 0)
            r = buf_append(out, text + i, 1);
    }
    return r;
}

/* What put_part() writes goes to @out with @special characters escaped. */
static int put_part_escaped(const struct liege_option *row, row_fn *put_part, const char *special,
                            const char *escape, struct buf *out)
{
    _cleanup_(buf_done) struct buf part = {0};
    int r = put_part(row, &part);

    return r == 0 ? put_escaped(out, buf_at(&part), buf_len(&part), special, escape) : r;
}

static int markdown_row(const struct liege_option *row, struct buf *out)
{
    int r = put(out, "| `");

    if (r == 0)
        r = put_part_escaped(row, put_head, "|", "\\", out);
    if (r == 0)
        r = put(out, "` | ");
    if (r == 0)
        r = put_part_escaped(row, put_body, "|<", "\\", out);
    return r == 0 ? put(out, " |\n") : r;
}

int doc_markdown(const struct conf_table *tables, size_t n_tables, struct buf *out)
{
    return put_tables(tables, n_tables, "\n## ", "\n\n| option | meaning |\n|---|---|\n",
                      markdown_row, out);
}

static int roff_row(const struct liege_option *row, struct buf *out)
{
    int r = put(out, ".TP\n.B ");

    if (r == 0)
        r = put_part_escaped(row, put_head, "-\\", "\\", out);
    if (r == 0)
        r = put(out, "\n\\&"); /* the body may start with a character that roff would obey */
    if (r == 0)
        r = put_part_escaped(row, put_body, "-\\", "\\", out);
    return r == 0 ? put(out, "\n") : r;
}

int doc_roff(const struct conf_table *tables, size_t n_tables, struct buf *out)
{
    int r = put(out, ".SH OPTIONS\n");

    return r == 0 ? put_tables(tables, n_tables, ".SS ", "\n", roff_row, out) : r;
}

static int words_row(const struct liege_option *row, struct buf *out)
{
    const char *pos = NULL;
    struct option_name n;
    int r = 0;

    while (r == 0 && option_next_name(row, &pos, &n))
        r = buf_printf(out, "%s%.*s\n", n.len > 1 ? "--" : "-", (int)n.len, n.text);
    return r;
}

int doc_words(const struct conf_table *tables, size_t n_tables, struct buf *out)
{
    for (size_t t = 0; t < n_tables; t++)
        for (size_t i = 0; i < tables[t].n_options; i++) {
            int r = words_row(&tables[t].options[i], out);
            if (r < 0)
                return r;
        }
    return 0;
}
