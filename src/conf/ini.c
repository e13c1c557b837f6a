/* SPDX-License-Identifier: MIT */
/* uWSGI's INI grammar, which no INI library has: settings of any length, "#" and ";" comments only
 * as whole lines, indented lines that are ordinary ones, no quoting, no continuation, and only the
 * first "=" splits (reference: docs/configuration.md).
 *
 * Pure: bytes in, lines out. It does not know which sections are wanted, nor any option. Called by
 * load.c for each file, by way of the table of formats, and by the fuzzer. */
#include "conf/ini.h"

#include <errno.h>
#include <string.h>

static const char blanks[] = " \t\r";

/* Cuts blanks off both ends of text[0 .. len), which is terminated there. */
static char *trim(char *text, size_t len)
{
    while (len > 0 && strchr(blanks, text[len - 1]))
        len--;
    text[len] = '\0';
    return text + strspn(text, blanks);
}

/* @text is "[name]", perhaps with a comment behind it. */
static int parse_section(const char *file, unsigned number, char *text, const char **ret,
                         struct errmsg *err)
{
    char *end = strchr(text, ']');

    if (!end)
        return errmsg_set(err, -EINVAL, "%s:%u: this section line has no ']'", file, number);

    const char *rest = end + 1 + strspn(end + 1, blanks);
    if (*rest != '\0' && *rest != ';' && *rest != '#')
        return errmsg_set(err, -EINVAL, "%s:%u: there is text after the ']' of a section line",
                          file, number);
    *end = '\0';
    *ret = text + 1;
    return 0;
}

static int parse_setting(const char *file, char *text, struct conf_line *line, struct errmsg *err)
{
    char *equals = strchr(text, '=');

    line->key = text;
    line->value = "";
    if (equals) {
        line->value = trim(equals + 1, strlen(equals + 1));
        line->key = trim(text, (size_t)(equals - text));
    }
    if (line->key[0] == '\0')
        return errmsg_set(err, -EINVAL, "%s:%u: there is no name before the '='", file,
                          line->number);
    return 0;
}

int ini_parse(const char *file, char *text, size_t len, conf_line_fn *fn, void *userdata,
              struct errmsg *err)
{
    static const char bom[] = "\xef\xbb\xbf";
    char *at = text, *end = text + len;
    struct conf_line line = {.section = ""};

    if (len >= 3 && memcmp(text, bom, 3) == 0)
        at += 3;
    while (at < end) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t line_len = (size_t)((newline ? newline : end) - at);

        line.number++;
        line.key = NULL;
        if (memchr(at, '\0', line_len))
            return errmsg_set(err, -EINVAL, "%s:%u: there is a NUL byte (is this UTF-16?)", file,
                              line.number);

        char *trimmed = trim(at, line_len);
        at = newline ? newline + 1 : end;
        if (*trimmed == '\0' || *trimmed == ';' || *trimmed == '#')
            continue;

        int r = *trimmed == '[' ? parse_section(file, line.number, trimmed, &line.section, err)
                                : parse_setting(file, trimmed, &line, err);
        if (r < 0)
            return r;
        r = fn(userdata, &line, err);
        if (r < 0)
            return r;
    }
    return 0;
}
