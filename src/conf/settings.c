/* SPDX-License-Identifier: MIT */
/* The ordered list that all front ends append to, and how its entries are named in messages.
 *
 * Every string is owned by the entry, so that an entry outlives the file it came from. Messages
 * lead with the place ("app.ini:12: "), and never show raw bytes of a value: they may end in a log
 * or on a terminal. */
#include "conf/settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strv.h"

void setting_done(struct conf_setting *s)
{
    free(s->key);
    free(s->value);
    free(s->file);
    *s = (struct conf_setting){0};
}

void settings_done(struct settings *list)
{
    for (size_t i = 0; i < list->n_items; i++)
        setting_done(&list->items[i]);
    free(list->items);
    *list = (struct settings){0};
}

int settings_append(struct settings *list, const struct conf_setting *s)
{
    if (list->n_items == list->capacity) {
        size_t capacity = MAX(2 * list->capacity, (size_t)32);
        struct conf_setting *items = realloc(list->items, capacity * sizeof(*items));
        if (!items)
            return -ENOMEM;
        list->items = items;
        list->capacity = capacity;
    }

    struct conf_setting copy = *s;
    copy.key = strdup(s->key);
    copy.value = strdup(s->value);
    copy.file = strdup(s->file);
    if (!copy.key || !copy.value || !copy.file) {
        setting_done(&copy);
        return -ENOMEM;
    }
    list->items[list->n_items++] = copy;
    return 0;
}

int setting_blame(const struct conf_setting *s, int code, struct errmsg *err)
{
    if (s->line == 0)
        return errmsg_prefix(err, code, "%s", s->file);
    return errmsg_prefix(err, code, "%s:%u", s->file, s->line);
}

int setting_warn(const struct conf_setting *s, struct liege_list *warnings, const char *fmt, ...)
{
    struct errmsg text = {""};
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text.text, sizeof(text.text), fmt, ap);
    va_end(ap);
    (void)setting_blame(s, 0, &text);
    return strv_append(warnings, text.text);
}

const char *setting_shown(const char *value, struct shown *ret)
{
    size_t len = strlen(value), n = MIN(len, sizeof(ret->text) - sizeof("..."));

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)value[i];
        ret->text[i] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
    }
    (void)snprintf(ret->text + n, sizeof(ret->text) - n, "%s", n < len ? "..." : "");
    return ret->text;
}
