/* SPDX-License-Identifier: MIT */
/* What loops go through: words, files, numbers, lines. Names of files start in the directory of the
 * load, and are given back as they were asked for. Each is bounded by what a load may say in all
 * (LOGIC_LINES_MAX). Called by logic.c by way of the table of keywords. */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"
#include "conf/expand.h"
#include "conf/load.h"
#include "conf/logic-word.h"
#include "conf/source.h"

/* Appends text[0 .. len). */
static int append(struct loader *l, const struct conf_setting *s, const char *text, size_t len,
                  struct logic_values *ret)
{
    if (ret->items.n_items == LOGIC_LINES_MAX)
        return setting_blame(s,
                             errmsg_set(l->err, -E2BIG, "'%s' goes through more than %d items",
                                        s->key, LOGIC_LINES_MAX),
                             l->err);
    return strv_appendf(&ret->items, "%.*s", (int)len, text);
}

int logic_for(struct loader *l, const struct conf_setting *s, const char *arg,
              struct logic_values *ret)
{
    static const char blanks[] = " \t\r\n"; /* a value may have several lines */
    int r = 0;

    for (const char *at = arg + strspn(arg, blanks); r == 0 && *at != '\0';) {
        size_t len = strcspn(at, blanks);
        r = append(l, s, at, len, ret);
        at += len;
        at += strspn(at, blanks);
    }
    return r;
}

/* The pattern from the root on: glob() would look in the current directory of the process. */
static int absolute_pattern(const char *cwd, const char *pattern, struct buf *ret)
{
    int r = 0;

    for (; *pattern != '/' && *cwd != '\0' && r == 0; cwd++) {
        if (strchr("*?[]\\", *cwd))
            r = buf_append(ret, "\\", 1);
        if (r == 0)
            r = buf_append(ret, cwd, 1);
    }
    if (r == 0)
        r = buf_printf(ret, "%s%s", *pattern == '/' ? "" : "/", pattern);
    return r == 0 ? buf_append(ret, "", 1) : r;
}

int logic_for_glob(struct loader *l, const struct conf_setting *s, const char *arg,
                   struct logic_values *ret)
{
    _cleanup_(buf_done) struct buf pattern = {0};
    _cleanup_(globfree) glob_t found = {0};
    size_t skip = *arg == '/' ? 0 : strlen(l->cwd) + 1;
    int r = absolute_pattern(l->cwd, arg, &pattern);

    if (r < 0)
        return r;
    int e = glob(buf_at(&pattern), 0, NULL, &found);
    if (e == GLOB_NOSPACE)
        return -ENOMEM;
    for (size_t i = 0; r == 0 && i < found.gl_pathc; i++) {
        const char *name = found.gl_pathv[i] + skip;
        ret->trust = trust_weaker(ret->trust, trust_of_name(name));
        r = append(l, s, name, strlen(name), ret);
    }
    return r;
}

int logic_for_times(struct loader *l, const struct conf_setting *s, const char *arg,
                    struct logic_values *ret)
{
    struct shown shown;
    char *end = NULL;
    unsigned long n = strtoul(arg, &end, 10);

    if (*arg < '0' || *arg > '9' || *end != '\0' || n > LOGIC_LINES_MAX)
        return setting_blame(s,
                             errmsg_set(l->err, -EINVAL,
                                        "for-times: '%s' is not a whole number from 0 to %d",
                                        setting_shown(arg, &shown), LOGIC_LINES_MAX),
                             l->err);
    int r = 0;
    for (unsigned long i = 1; r == 0 && i <= n; i++)
        r = strv_appendf(&ret->items, "%lu", i);
    return r;
}

int logic_for_readline(struct loader *l, const struct conf_setting *s, const char *arg,
                       struct logic_values *ret)
{
    struct source_text got = {0};
    int r = source_read(&l->sources, arg, &s->trust, VALUE_MAX_BYTES, &got, l->err);
    _cleanup_free_ char *text = got.text;
    const size_t len = got.len;

    if (r < 0)
        return setting_blame(s, r, l->err);
    ret->trust = trust_weaker(ret->trust, got.trust);
    for (char *at = text; r == 0 && at < text + len;) {
        char *newline = memchr(at, '\n', (size_t)(text + len - at));
        char *end = newline ? newline : text + len;
        size_t n = (size_t)(end - at);
        r = append(l, s, at, n > 0 && at[n - 1] == '\r' ? n - 1 : n, ret);
        at = end + 1;
    }
    return r;
}
