/* SPDX-License-Identifier: MIT */
/* What the values of the options of static files must look like, so that a mistake is found when
 * the configuration is read and not when the first file is asked for. */
#include "static/check.h"

#include <errno.h>
#include <string.h>

#include "static/expires.h"
#include "static/pattern.h"
#include "static/static-conf.h"

static int check_map(const char *name, const char *value, struct errmsg *err)
{
    const char *path = NULL;
    size_t len = 0;
    int r = static_conf_split_map(value, &len, &path);

    return r < 0 ? errmsg_set(err, r, "%s: '%s' is not /PREFIX=PATH", name, value) : 0;
}

static int check_expires(const char *name, const char *value, struct errmsg *err)
{
    struct static_expires_rule *rule = NULL;
    int r = static_expires_rule_new(name, value, &rule, err);

    (void)static_expires_rule_free(rule);
    return r;
}

static int check_pattern(const char *name, const char *value, struct errmsg *err)
{
    struct static_pattern *pattern = NULL;
    int r = static_pattern_new(value, strlen(value), &pattern, err);

    (void)static_pattern_free(pattern);
    return r < 0 ? errmsg_prefix(err, r, "%s", name) : 0;
}

static int check_index(const char *name, const char *value, struct errmsg *err)
{
    return strchr(value, '/')
               ? errmsg_set(err, -EINVAL, "%s: '%s' is not a file's name", name, value)
               : 0;
}

/* Beside those of expires.c. */
static const struct {
    const char *name;
    int (*check)(const char *name, const char *value, struct errmsg *err);
} checks[] = {
    {"static-map2", check_map},
    {"static-map", check_map},
    {"static-index", check_index},
    {"static-gzip", check_pattern},
};

int static_check(const char *name, const char *value, struct errmsg *err)
{
    if (static_expires_has_option(name))
        return check_expires(name, value, err);
    for (size_t i = 0; i < COUNT_OF(checks); i++)
        if (strcmp(name, checks[i].name) == 0)
            return checks[i].check(name, value, err);
    return 0;
}
