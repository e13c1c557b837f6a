/* SPDX-License-Identifier: MIT */
/* --show-config: the expanded settings as a file that loads again and gives the same; --get: one of
 * their values.
 *
 * Percent signs are doubled, but not before a parenthesis, where there is no magic variable and
 * where doubling would add one. Settings that INI cannot hold become comments. */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "conf/conf.h"
#include "conf/lookup.h"
#include "conf/settings.h"
#include "conf/uwsgi-names.h"

/* True if trimming leaves @text alone and it is one line. */
static bool survives_trim(const char *text)
{
    static const char blanks[] = " \t\r";
    size_t len = strlen(text);

    return !strchr(text, '\n') &&
           (len == 0 || (!strchr(blanks, text[0]) && !strchr(blanks, text[len - 1])));
}

/* @key must not look like a comment or a section, @value must not read a file anew. */
static bool fits_ini(const char *key, const char *value)
{
    return survives_trim(key) && survives_trim(value) && key[0] != '\0' && !strchr("[;#", key[0]) &&
           !strchr(key, '=') && !strstr(value, "@(");
}

static int put_escaped(struct buf *out, const char *text)
{
    int r = 0;

    while (r == 0 && *text != '\0') {
        size_t plain = strcspn(text, "%");

        r = buf_append(out, text, plain);
        text += plain;
        if (r == 0 && *text == '%')
            r = buf_append(out, "%%", *++text == '(' ? 1 : 2);
    }
    return r;
}

/* "@option = @key=@value", or "@key = @value" where @option is NULL. */
static int put_line(struct buf *out, const char *option, const char *key, const char *value)
{
    int r = option ? buf_printf(out, "%s = ", option) : 0;

    if (r == 0)
        r = put_escaped(out, key);
    if (r == 0)
        r = buf_printf(out, "%s", option ? "=" : " = ");
    if (r == 0)
        r = put_escaped(out, value);
    return r == 0 ? buf_append(out, "\n", 1) : r;
}

static int put_setting(struct buf *out, const struct conf_setting *s)
{
    bool variable = s->placeholder || (s->referenced && !s->option && !uwsgi_has_option(s->key));
    struct shown key, value;

    if (!fits_ini(s->key, s->value))
        return buf_printf(out, "; cannot be written as INI: %s = %s\n", setting_shown(s->key, &key),
                          setting_shown(s->value, &value));
    return put_line(out, variable ? "set-placeholder" : NULL, s->key, s->value);
}

/* The items of a meta option, which are whole values. */
static int put_list(struct buf *out, const char *option, const struct liege_list *list)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < list->n_items; i++) {
        struct conf_setting s = {.key = (char *)option, .value = list->items[i]};
        r = put_setting(out, &s);
    }
    return r;
}

/* Does @s say the option @name? */
static bool says_option(const struct conf_setting *s, const char *name)
{
    return s->option && option_has_name(s->option, name);
}

int conf_show_value(const struct conf *c, const char *name, struct buf *out)
{
    const struct conf_setting *found = NULL;
    int r = 0;

    for (size_t i = 0; r == 0 && i < c->n_settings; i++) {
        const struct conf_setting *s = &c->settings[i];
        bool is_list = s->option && s->option->type == LIEGE_OPTION_LIST;

        if (says_option(s, name) && is_list && found)
            r = buf_printf(out, "%s\n", found->value);
        if (says_option(s, name) || (!found && strcmp(s->key, name) == 0))
            found = s;
    }
    if (!found)
        return -ENOENT;
    return r == 0 ? buf_printf(out, "%s\n", found->value) : r;
}

int conf_show(const struct conf *c, struct buf *out)
{
    int r = buf_printf(out, "[liege]\n");

    if (r == 0)
        r = put_list(out, "env", &c->env);
    if (r == 0)
        r = put_list(out, "unenv", &c->unenv);
    if (r == 0 && c->strict)
        r = buf_printf(out, "strict = yes\n");
    for (size_t i = 0; r == 0 && i < c->n_settings; i++)
        r = put_setting(out, &c->settings[i]);
    return r;
}
