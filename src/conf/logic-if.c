/* SPDX-License-Identifier: MIT */
/* What an if may ask: the environment, what was set before, files, plugins, the host's name.
 *
 * Only what the load was given is looked at, and the files that are named: relative names start in
 * the directory of the load. Called by logic.c by way of the table of keywords. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "conf/expand.h"
#include "conf/load.h"
#include "conf/logic-word.h"

#define MATCH_STEPS_MAX 100000

/* The condition holds, and %(_) is @item. */
static int hold(struct logic_values *ret, const char *item)
{
    int r = strv_append(&ret->items, item);

    return r < 0 ? r : 1;
}

int logic_if_env(struct loader *l, const struct conf_setting *s, const char *arg,
                 struct logic_values *ret)
{
    const struct expand_world world = loader_world(l);
    size_t len = strcspn(arg, "=");
    const char *value = expand_getenv(&world, arg, len, &ret->trust);

    (void)s;
    if (!value || (arg[len] == '=' && strcmp(arg + len + 1, value) != 0))
        return 0;
    return hold(ret, value);
}

/* True if @s sets what is called @name, or another name of the same option. */
static bool sets(const struct loader *l, const struct conf_setting *s, const char *name)
{
    const struct liege_option *row = lookup_exact(&l->lookup, name);

    return strcmp(s->key, name) == 0 || (row && !s->placeholder && option_has_name(row, s->key));
}

/* Is @wanted (NULL: anything) the value of @s? */
static int has_value(struct loader *l, const struct conf_setting *s, const char *wanted,
                     struct logic_values *ret)
{
    _cleanup_free_ char *value = NULL;
    struct trust trust = {0};
    int r = logic_expand(l, s, &value, &trust);

    if (r < 0 || (wanted && strcmp(wanted, value) != 0))
        return r;
    ret->trust = trust_weaker(ret->trust, trust);
    return hold(ret, value);
}

int logic_if_opt(struct loader *l, const struct conf_setting *s, const char *arg,
                 struct logic_values *ret)
{
    size_t len = strcspn(arg, "=");
    const char *wanted = arg[len] == '=' ? arg + len + 1 : NULL;
    _cleanup_free_ char *name = NULL;
    int r = 0;

    (void)s;
    if (asprintf(&name, "%.*s", (int)len, arg) < 0)
        return -ENOMEM;
    for (size_t i = l->list.n_items; r == 0 && i > 0; i--)
        if (sets(l, &l->list.items[i - 1], name))
            r = has_value(l, &l->list.items[i - 1], wanted, ret);
    return r;
}

/* Looks at the file @arg. Returns 1 if it is there and @type (0: any) is what it is, else 0. */
static int is_there(struct loader *l, const struct conf_setting *s, const char *arg, mode_t type,
                    struct logic_values *ret)
{
    static const char file_scheme[] = "file://";
    const char *path = str_starts(arg, file_scheme) ? arg + sizeof(file_scheme) - 1 : arg;
    _cleanup_free_ char *full = NULL;
    struct shown shown;
    struct stat st;

    if (*path == '\0' || strstr(path, "://"))
        return setting_blame(s,
                             errmsg_set(l->err, -EINVAL, "%s: '%s' is not the path of a file",
                                        s->key, setting_shown(arg, &shown)),
                             l->err);
    if (asprintf(&full, "%s/%s", *path == '/' ? "" : l->cwd, path) < 0)
        return -ENOMEM;
    if (stat(full, &st) < 0 || (type != 0 && (st.st_mode & S_IFMT) != type))
        return 0;
    return hold(ret, arg);
}

int logic_if_exists(struct loader *l, const struct conf_setting *s, const char *arg,
                    struct logic_values *ret)
{
    return is_there(l, s, arg, 0, ret);
}

int logic_if_file(struct loader *l, const struct conf_setting *s, const char *arg,
                  struct logic_values *ret)
{
    return is_there(l, s, arg, S_IFREG, ret);
}

int logic_if_dir(struct loader *l, const struct conf_setting *s, const char *arg,
                 struct logic_values *ret)
{
    return is_there(l, s, arg, S_IFDIR, ret);
}

int logic_if_plugin(struct loader *l, const struct conf_setting *s, const char *arg,
                    struct logic_values *ret)
{
    (void)s;
    return l->in->has_plugin && l->in->has_plugin(arg) ? hold(ret, arg) : 0;
}

int logic_if_reload(struct loader *l, const struct conf_setting *s, const char *arg,
                    struct logic_values *ret)
{
    (void)s;
    (void)arg;
    (void)ret; /* %(_) stays what it is */
    return l->in->is_reload;
}

static const char *hostname(char name[256])
{
    memset(name, 0, 256);
    (void)gethostname(name, 255); /* fails only for longer names than Linux has */
    return name;
}

int logic_if_hostname(struct loader *l, const struct conf_setting *s, const char *arg,
                      struct logic_values *ret)
{
    char name[256];

    (void)l;
    (void)s;
    return strcmp(hostname(name), arg) == 0 ? hold(ret, arg) : 0;
}

/* Returns 1 if @code matches in @text within a bounded number of steps, else 0. */
static int matches(const pcre2_code *code, const char *text)
{
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    int n = -ENOMEM;

    if (limits && data) {
        (void)pcre2_set_match_limit(limits, MATCH_STEPS_MAX);
        n = pcre2_match(code, (PCRE2_SPTR)text, strlen(text), 0, 0, data, limits) >= 0;
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(limits);
    return n;
}

int logic_if_hostname_match(struct loader *l, const struct conf_setting *s, const char *arg,
                            struct logic_values *ret)
{
    unsigned char reason[128] = "";
    char name[256];
    PCRE2_SIZE at = 0;
    int error = 0;
    struct shown shown;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)arg, PCRE2_ZERO_TERMINATED, 0, &error, &at, NULL);

    if (!code) {
        (void)pcre2_get_error_message(error, reason, sizeof(reason));
        (void)errmsg_set(l->err, 0, "%s: '%s' is not a regular expression: %s, at character %zu",
                         s->key, setting_shown(arg, &shown), (const char *)reason, (size_t)at + 1);
        return setting_blame(s, -EINVAL, l->err);
    }
    int r = matches(code, hostname(name));
    pcre2_code_free(code);
    return r > 0 ? hold(ret, name) : r;
}
