/* SPDX-License-Identifier: MIT */
/* The environment as a front end: LIEGE_MAX_REQUESTS=100 is max-requests = 100. uWSGI's names come
 * first, so that LIEGE_X wins where both are there and the option has one value.
 *
 * Some names with these prefixes are no options: they carry what processes tell each other (an
 * Emperor its vassals, an image which release is in it), and are skipped. Called by conf.c before
 * the command line is read. */
#include "conf/environment.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"
#include "conf/load.h"

static const char where[] = "environment";

static bool is_reserved(const char *name, size_t len)
{
    static const char *const reserved[] = {
        "EMPEROR_FD",       "EMPEROR_FD_CONFIG",  "STATUS_FD",          "BROODLORD_NUM",
        "EMPEROR_PROXY",    "MASTER_FD",          "VASSALS_DIR",        "RELOADS",
        "EMPEROR_STATE_FD", "EMPEROR_PROGRAM_FD", "ORIGINAL_PROC_NAME", "JAIL_PID",
        "VERSION",          "SOURCES_FD",
    };

    if (str_starts(name, "VASSAL_"))
        return true;
    for (size_t i = 0; i < COUNT_OF(reserved); i++)
        if (strlen(reserved[i]) == len && memcmp(name, reserved[i], len) == 0)
            return true;
    return false;
}

/* @text is NAME=VALUE without the prefix. */
static int add_variable(struct loader *l, const char *text)
{
    size_t len = strcspn(text, "=");

    if (len == 0 || text[len] == '\0' || is_reserved(text, len))
        return 0;

    _cleanup_(buf_done) struct buf key = {0};
    int r = buf_append(&key, text, len);
    if (r == 0)
        r = buf_append(&key, "", 1);
    if (r < 0)
        return r;
    for (char *c = buf_at(&key); *c != '\0'; c++)
        *c = (char)(*c == '_' ? '-' : tolower((unsigned char)*c));
    return loader_add(l, buf_at(&key), text + len + 1, where, 0);
}

int environment_read(struct loader *l)
{
    static const char *const prefixes[] = {"UWSGI_", "LIEGE_"};

    for (size_t p = 0; p < COUNT_OF(prefixes); p++)
        for (const char *const *e = l->in->environ; e && *e; e++) {
            if (!str_starts(*e, prefixes[p]))
                continue;
            int r = add_variable(l, *e + strlen(prefixes[p]));
            if (r < 0)
                return r;
        }
    return 0;
}

bool environment_said(const struct conf_setting *s)
{
    return s->line == 0 && strcmp(s->file, where) == 0;
}
