/* SPDX-License-Identifier: MIT */
/* A table for people: columns as wide as their widest cell, two spaces between them, the last one
 * as long as there is room. What stands in it may come from anybody: control characters become
 * question marks, so that no name moves a cursor. Used by ctl-status.c and ctl-top.c. */
#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "cli/ctl.h"

#define MAX_COLUMNS 16

struct ctl_cell {
    char *text;
    const char *colour;
};

void ctl_table_begin(struct ctl_table *t, size_t n_columns)
{
    assert(n_columns > 0 && n_columns <= MAX_COLUMNS);
    *t = (struct ctl_table){.n_columns = n_columns};
}

/* Columns of a terminal: characters of UTF-8, each taken for one. */
static size_t width_of(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

void ctl_table_put(struct ctl_table *t, const char *text, const char *colour)
{
    struct ctl_cell *cells =
        reallocarray(t->cells, t->n_cells + 1, sizeof(*t->cells)); /* some thousand, and realloc(3)
                                                                      mostly stays in place */
    char *copy = strdup(text);

    if (cells)
        t->cells = cells;
    if (!cells || !copy) {
        free(copy);
        t->failed = true;
        return;
    }
    for (char *c = copy; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = '?';
    t->cells[t->n_cells++] = (struct ctl_cell){.text = copy, .colour = colour};
}

void ctl_table_printf(struct ctl_table *t, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    ctl_table_put(t, text, "");
}

/* How many bytes of @text are @width columns at most. */
static size_t cut(const char *text, size_t width)
{
    size_t n = 0;

    while (text[n] && (width > 0 || ((unsigned char)text[n] & 0xc0) == 0x80)) {
        width -= ((unsigned char)text[n] & 0xc0) != 0x80;
        n++;
    }
    return n;
}

static int write_row(const struct ctl_table *t, const struct ctl_cell *row, const size_t *widths,
                     bool coloured, size_t width, struct buf *out)
{
    size_t left = width > 0 ? width : SIZE_MAX;
    int r = 0;

    for (size_t i = 0; i < t->n_columns && r == 0 && left > 0; i++) {
        bool last = i + 1 == t->n_columns, paint = coloured && *row[i].colour;
        size_t len = cut(row[i].text, left), shown = MIN(width_of(row[i].text), left);
        size_t pad = last ? 0 : MIN(widths[i] + 2 - shown, left - shown);

        r = buf_printf(out, "%s%s%s%.*s%s%*s", paint ? "\033[" : "", paint ? row[i].colour : "",
                       paint ? "m" : "", (int)len, row[i].text, paint ? "\033[0m" : "", (int)pad,
                       "");
        left -= shown + pad;
    }
    return r == 0 ? buf_append(out, "\n", 1) : r;
}

void ctl_table_write(const struct ctl_table *t, bool coloured, size_t width, size_t max_rows,
                     struct buf *out)
{
    size_t widths[MAX_COLUMNS] = {0};
    size_t n_rows = t->failed ? 0 : MIN(t->n_cells / t->n_columns, max_rows);

    for (size_t i = 0; i < n_rows * t->n_columns; i++)
        widths[i % t->n_columns] = MAX(widths[i % t->n_columns], width_of(t->cells[i].text));
    for (size_t i = 0; i < n_rows; i++)
        if (write_row(t, t->cells + i * t->n_columns, widths, coloured, width, out) < 0)
            return;
}

void ctl_table_done(struct ctl_table *t)
{
    for (size_t i = 0; i < t->n_cells; i++)
        free(t->cells[i].text);
    free(t->cells);
    *t = (struct ctl_table){.n_columns = t->n_columns};
}
