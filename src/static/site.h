/* SPDX-License-Identifier: MIT */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/errmsg.h"
#include "base/log.h"
#include "base/macro.h"
#include "http/mime.h"
#include "static/expires.h"
#include "static/root.h"
#include "static/static-conf.h"

struct static_pattern;

/* All that an instance serves as static files. Made once in a process that runs applications, after
 * it has become its user and entered its directory; children inherit it by fork. Read-only but for
 * the count of log lines, which is locked: any thread may serve from it. */

/* One mention of check-static, static-map or static-map2. */
struct static_place {
    const char *option, *value; /* as configured; the conf's */
    struct static_root root;
    const char *prefix; /* of the path; without slashes at the end */
    size_t prefix_len;
    bool keeps_prefix; /* static-map2: the name in the directory has the prefix, too */
    bool only_reads;   /* check-static: other methods than GET and HEAD are the application's */
    int error;         /* why nothing was there at the start: a negative errno; or 0 */
};

struct static_site {
    const struct static_conf *conf;
    struct static_place *places; /* in the order in which they are tried */
    size_t n_places;
    struct static_root *safe;
    size_t n_safe;
    struct http_mime mime;
    struct static_expires expires;
    struct static_pattern **gzip;
    size_t n_gzip;

    pthread_mutex_t lock;
    struct log_limit refusals;
};

/* Opens the places of @conf, which outlives the site, and reads the media types. Places that are
 * not there are no failure: static_site_next_missing() tells. *@ret is NULL if there is nothing to
 * serve. Returns 0, or a negative errno with @err. Does not log. */
int static_site_new(const struct static_conf *conf, struct static_site **ret,
                    struct errmsg *err) _must_check_;
struct static_site *static_site_free(struct static_site *s);

/* Walks the places and safe directories that were not there: start with *@pos = 0; NULL at the end.
 * *@ret_value is the value of the option that is returned, *@ret_error why. */
const char *static_site_next_missing(const struct static_site *s, size_t *pos,
                                     const char **ret_value, int *ret_error);

/* Logs, at most so often a second, that a file is not served because of @error. */
void static_site_log_refusal(struct static_site *s, const struct static_place *place,
                             const char *name, int error);
