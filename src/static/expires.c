/* SPDX-License-Identifier: MIT */
/* When a file expires. A rule has a subject (which text of the request or of the file it looks at),
 * a pattern or a media type, and a number of seconds. The table of families says which option makes
 * which rules, and its order is the order in which they are tried. */
#include "static/expires.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/text.h"
#include "static/pattern.h"
#include "static/static-conf.h"

#define SECONDS_MAX 3153600000ULL /* a hundred years */
#define DIGITS_MAX  10

struct family {
    const char *option;
    size_t list;    /* offset in struct static_conf */
    size_t subject; /* offset in struct static_subject */
    bool is_type;   /* TYPE=SECONDS, else REGEXP SECONDS */
    bool from_mtime;
};

#define LIST(f)    offsetof(struct static_conf, f)
#define SUBJECT(f) offsetof(struct static_subject, f)

/* clang-format off */
static const struct family families[] = {
    { "static-expires",                 LIST(expires),                 SUBJECT(file),      false, false },
    { "static-expires-mtime",           LIST(expires_mtime),           SUBJECT(file),      false, true },
    { "static-expires-path-info",       LIST(expires_path_info),       SUBJECT(path_info), false, false },
    { "static-expires-path-info-mtime", LIST(expires_path_info_mtime), SUBJECT(path_info), false, true },
    { "static-expires-uri",             LIST(expires_uri),             SUBJECT(uri),       false, false },
    { "static-expires-uri-mtime",       LIST(expires_uri_mtime),       SUBJECT(uri),       false, true },
    { "static-expires-type",            LIST(expires_type),            SUBJECT(type),      true,  false },
    { "static-expires-type-mtime",      LIST(expires_type_mtime),      SUBJECT(type),      true,  true },
};
/* clang-format on */

struct static_expires_rule {
    struct static_expires_rule *next;
    const struct family *family;
    struct static_pattern *pattern; /* or */
    char *type;
    time_t seconds;
};

static const struct family *find_family(const char *option)
{
    for (size_t i = 0; i < COUNT_OF(families); i++)
        if (strcmp(families[i].option, option) == 0)
            return &families[i];
    return NULL;
}

bool static_expires_has_option(const char *option)
{
    return find_family(option) != NULL;
}

static int parse_seconds(const char *text, time_t *ret)
{
    size_t len = strlen(text);
    uint64_t n = 0;

    if (len == 0 || len > DIGITS_MAX || !http_all(text, len, HTTP_CLASS_DIGIT))
        return -EINVAL;
    for (const char *p = text; *p != '\0'; p++)
        n = 10 * n + (uint64_t)(*p - '0');
    if (n > SECONDS_MAX)
        return -ERANGE;
    *ret = (time_t)n;
    return 0;
}

/* Where what comes before the seconds ends: at the last blank, or without one at the last '='. */
static const char *find_separator(const struct family *family, const char *value)
{
    const char *blank = family->is_type ? NULL : strrchr(value, ' ');

    return blank ? blank : strrchr(value, '=');
}

static size_t trimmed_len(const char *text, const char *end)
{
    while (end > text && end[-1] == ' ')
        end--;
    return (size_t)(end - text);
}

static int fill_rule(struct static_expires_rule *rule, const char *value, struct errmsg *err)
{
    const struct family *f = rule->family;
    const char *end = find_separator(f, value);
    size_t len = end ? trimmed_len(value, end) : 0;

    if (len == 0 || parse_seconds(end + 1, &rule->seconds) < 0)
        return errmsg_set(err, -EINVAL,
                          "%s: '%s' is not %s with a whole number of seconds up to %llu", f->option,
                          value, f->is_type ? "TYPE=SECONDS" : "REGEXP SECONDS", SECONDS_MAX);
    if (!f->is_type) {
        int r = static_pattern_new(value, len, &rule->pattern, err);
        return r < 0 ? errmsg_prefix(err, r, "%s", f->option) : 0;
    }
    rule->type = strndup(value, len);
    return rule->type ? 0 : errmsg_set(err, -ENOMEM, "out of memory");
}

int static_expires_rule_new(const char *option, const char *value, struct static_expires_rule **ret,
                            struct errmsg *err)
{
    struct static_expires_rule *rule = calloc(1, sizeof(*rule));

    if (!rule)
        return errmsg_set(err, -ENOMEM, "out of memory");
    rule->family = find_family(option);
    int r = fill_rule(rule, value, err);
    if (r < 0)
        (void)static_expires_rule_free(rule);
    else
        *ret = rule;
    return r;
}

struct static_expires_rule *static_expires_rule_free(struct static_expires_rule *rule)
{
    if (!rule)
        return NULL;
    (void)static_pattern_free(rule->pattern);
    free(rule->type);
    free(rule);
    return NULL;
}

int static_expires_init(struct static_expires *e, const struct static_conf *conf,
                        struct errmsg *err)
{
    struct static_expires_rule **end = &e->first;

    *end = NULL;
    for (size_t f = 0; f < COUNT_OF(families); f++) {
        const struct liege_list *list = (const void *)((const char *)conf + families[f].list);
        for (size_t i = 0; i < list->n_items; i++) {
            struct static_expires_rule *rule = NULL;
            int r = static_expires_rule_new(families[f].option, list->items[i], &rule, err);
            if (!rule)
                return r;
            *end = rule;
            end = &rule->next;
        }
    }
    return 0;
}

void static_expires_done(struct static_expires *e)
{
    while (e->first) {
        struct static_expires_rule *next = e->first->next;
        (void)static_expires_rule_free(e->first);
        e->first = next;
    }
}

static bool fits(const struct static_expires_rule *rule, const struct static_subject *s)
{
    const struct liege_str *text = (const void *)((const char *)s + rule->family->subject);

    return rule->pattern ? static_pattern_matches(rule->pattern, *text)
                         : http_equal(*text, rule->type);
}

bool static_expires_find(const struct static_expires *e, const struct static_subject *s,
                         time_t *ret)
{
    for (const struct static_expires_rule *rule = e->first; rule; rule = rule->next)
        if (fits(rule, s)) {
            *ret = (rule->family->from_mtime ? s->mtime : s->now) + rule->seconds;
            return true;
        }
    return false;
}
