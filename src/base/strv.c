/* SPDX-License-Identifier: MIT */
/* Lists of strings: argument vectors, environments, repeatable options. */
#include "base/strv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Takes over @text, also when it fails. */
static int append_owned(struct liege_list *l, char *text)
{
    char **items = text ? realloc(l->items, (l->n_items + 2) * sizeof(*items)) : NULL;

    if (!items) {
        free(text);
        return -ENOMEM;
    }
    items[l->n_items++] = text;
    items[l->n_items] = NULL;
    l->items = items;
    return 0;
}

int strv_append(struct liege_list *l, const char *text)
{
    return append_owned(l, strdup(text));
}

int strv_copy(struct liege_list *l, const char *const *strings)
{
    for (; *strings; strings++)
        if (strv_append(l, *strings) < 0)
            return -ENOMEM;
    return 0;
}

int strv_appendf(struct liege_list *l, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return append_owned(l, n < 0 ? NULL : text);
}

int strv_join(struct liege_list *l, const struct liege_list *other)
{
    return other->n_items > 0 ? strv_copy(l, (const char *const *)other->items) : 0;
}

bool strv_contains(const struct liege_list *l, const char *text)
{
    for (size_t i = 0; i < l->n_items; i++)
        if (strcmp(l->items[i], text) == 0)
            return true;
    return false;
}

bool strv_equal(const struct liege_list *a, const struct liege_list *b)
{
    if (a->n_items != b->n_items)
        return false;
    for (size_t i = 0; i < a->n_items; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

void strv_done(struct liege_list *l)
{
    for (size_t i = 0; i < l->n_items; i++)
        free(l->items[i]);
    free(l->items);
    *l = (struct liege_list){0};
}

bool str_starts(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

bool str_ends(const char *text, const char *end)
{
    size_t n_text = strlen(text), n_end = strlen(end);

    return n_text >= n_end && memcmp(text + n_text - n_end, end, n_end) == 0;
}
