/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "base/macro.h"
#include "conf/conf.h"
#include "conf/settings.h"
#include "conf/source-cache.h"
#include "conf/trust.h"

/* What sources are read with; all of it belongs to the load. */
struct source_world {
    const char *cwd;            /* relative paths start there, and commands run there */
    const char *const *environ; /* of commands */
    struct source_cache *cache; /* takes what was waited for; what is in it is not read again */
    conf_receive_fn *receive;   /* emperor://NAME; NULL: there is no such pipe */
};

struct source_text {
    char *text; /* allocated and terminated */
    size_t len;
    struct trust trust; /* what the text may do in its turn */
};

/* Reads the text that @uri names: a path, or SCHEME://REST as in the table of source.c. @who says
 * it. Returns 0, or a negative errno with @err naming @uri: -EFBIG over @max bytes (of emperor://:
 * what the pipe allows), -EPERM if @who
 * may not, -EPROTONOSUPPORT for another scheme, -EAGAIN with cache->missing set if it would have to
 * be waited for and the cache is offline. Waits otherwise, and not for ever, but for what comes
 * over standard input. */
int source_read(const struct source_world *w, const char *uri, const struct trust *who, size_t max,
                struct source_text *ret, struct errmsg *err) _must_check_;

/* True if @uri is a path, with or without file://. */
bool source_is_file(const char *uri);

/* What stands for @uri in messages and in %o: a path as it is, an address without passwords. Lives
 * in @uri or in @text. */
const char *source_shown(const char *uri, struct shown *text);

/* What the magic variables and the instance's name take for the path of @uri. That of a file: the
 * folder without symbolic links, the name as it was given, so that a link keeps its own name. That
 * of another source is made up: http://HOST/PATH, or a name in @cwd. There is a '/' in it. Returns
 * 0 or as source_read(). */
int source_path(const char *cwd, const char *uri, char **ret, struct errmsg *err) _must_check_;

/* Splits "file.ini:section" in place at the last ':' after the last '/'. Returns the section, or
 * NULL if none was given, or none can be: what follows exec:// and emperor:// is not ours. */
char *source_split_section(char *spec);
