/* SPDX-License-Identifier: MIT */
/* From the options to what is served: places in uWSGI's order (check-static, static-map,
 * static-map2; each in the order of the configuration), safe directories, media types, rules. */
#include "static/site.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/strv.h"
#include "static/pattern.h"

#define SYSTEM_MIMEFILE "/etc/mime.types"
#define MIMEFILE_MAX    ((size_t)4 * 1024 * 1024)

static int no_memory(struct errmsg *err)
{
    return errmsg_set(err, -ENOMEM, "out of memory");
}

static int add_place(struct static_site *s, const struct static_place *kind, const char *value,
                     struct errmsg *err)
{
    struct static_place *p = &s->places[s->n_places];
    const char *path = value;

    *p = *kind;
    p->value = p->prefix = value;
    if (!p->only_reads && static_conf_split_map(value, &p->prefix_len, &path) < 0)
        return errmsg_set(err, -EINVAL, "%s: '%s' is not /PREFIX=PATH", p->option, value);
    if (static_root_init(&p->root, path, &p->error) < 0)
        return no_memory(err);
    s->n_places++;
    return 0;
}

static int add_places(struct static_site *s, struct errmsg *err)
{
    const struct {
        struct static_place kind;
        const struct liege_list *values;
    } kinds[] = {
        {{.option = "check-static", .only_reads = true}, &s->conf->checks},
        {{.option = "static-map"}, &s->conf->maps},
        {{.option = "static-map2", .keeps_prefix = true}, &s->conf->maps2},
    };
    size_t n = 0;
    int r = 0;

    for (size_t k = 0; k < COUNT_OF(kinds); k++)
        n += kinds[k].values->n_items;
    s->places = calloc(n + 1, sizeof(*s->places));
    if (!s->places)
        return no_memory(err);
    for (size_t k = 0; k < COUNT_OF(kinds); k++)
        for (size_t i = 0; r == 0 && i < kinds[k].values->n_items; i++)
            r = add_place(s, &kinds[k].kind, kinds[k].values->items[i], err);
    return r;
}

static int add_safe(struct static_site *s, struct errmsg *err)
{
    const struct liege_list *list = &s->conf->safe;
    int error = 0;

    s->safe = calloc(list->n_items + 1, sizeof(*s->safe));
    if (!s->safe)
        return no_memory(err);
    for (; s->n_safe < list->n_items; s->n_safe++)
        if (static_root_init(&s->safe[s->n_safe], list->items[s->n_safe], &error) < 0)
            return no_memory(err);
    return 0;
}

static int add_gzip(struct static_site *s, struct errmsg *err)
{
    const struct liege_list *list = &s->conf->gzip;

    s->gzip = calloc(list->n_items + 1, sizeof(struct static_pattern *));
    if (!s->gzip)
        return no_memory(err);
    for (; s->n_gzip < list->n_items; s->n_gzip++) {
        const char *text = list->items[s->n_gzip];
        int r = static_pattern_new(text, strlen(text), &s->gzip[s->n_gzip], err);
        if (r < 0)
            return errmsg_prefix(err, r, "static-gzip");
    }
    return 0;
}

static int read_mimefile(struct static_site *s, const char *path, bool named, struct errmsg *err)
{
    _cleanup_free_ char *text = NULL;
    size_t len = 0;
    int r = file_read_all(path, MIMEFILE_MAX, &text, &len);

    if (r < 0)
        return named ? errmsg_set_errno(err, r, "mimefile: %s", path) : 0;
    r = http_mime_add(&s->mime, text, len, named);
    return r < 0 ? no_memory(err) : 0;
}

static int add_mimefiles(struct static_site *s, struct errmsg *err)
{
    const struct liege_list *list = &s->conf->mimefiles;
    int r = 0;

    if (list->n_items == 0)
        return read_mimefile(s, SYSTEM_MIMEFILE, false, err);
    for (size_t i = 0; r == 0 && i < list->n_items; i++)
        r = read_mimefile(s, list->items[i], true, err);
    return r;
}

int static_site_new(const struct static_conf *conf, struct static_site **ret, struct errmsg *err)
{
    struct static_site *s = NULL;

    *ret = NULL;
    if (conf->checks.n_items + conf->maps.n_items + conf->maps2.n_items == 0)
        return 0;
    int r = static_root_supported(err);
    if (r < 0)
        return r;
    s = calloc(1, sizeof(*s));
    if (!s)
        return no_memory(err);
    s->conf = conf;
    (void)pthread_mutex_init(&s->lock, NULL); /* cannot fail with default attributes */
    r = add_places(s, err);
    if (r == 0)
        r = add_safe(s, err);
    if (r == 0)
        r = add_gzip(s, err);
    if (r == 0)
        r = add_mimefiles(s, err);
    if (r == 0)
        r = static_expires_init(&s->expires, conf, err);
    if (r < 0)
        (void)static_site_free(s);
    else
        *ret = s;
    return r;
}

struct static_site *static_site_free(struct static_site *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < s->n_places; i++)
        static_root_done(&s->places[i].root);
    for (size_t i = 0; i < s->n_safe; i++)
        static_root_done(&s->safe[i]);
    for (size_t i = 0; i < s->n_gzip; i++)
        (void)static_pattern_free(s->gzip[i]);
    free(s->places);
    free(s->safe);
    free(s->gzip);
    http_mime_done(&s->mime);
    static_expires_done(&s->expires);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
    return NULL;
}

const char *static_site_next_missing(const struct static_site *s, size_t *pos,
                                     const char **ret_value, int *ret_error)
{
    for (size_t n = s ? s->n_places + s->n_safe : 0; *pos < n;) {
        size_t i = (*pos)++;
        if (i < s->n_places && s->places[i].error != 0) {
            *ret_value = s->places[i].value;
            *ret_error = s->places[i].error;
            return s->places[i].option;
        }
        if (i >= s->n_places && s->safe[i - s->n_places].fd < 0) {
            *ret_value = s->conf->safe.items[i - s->n_places];
            *ret_error = -ENOTDIR;
            return "static-safe";
        }
    }
    return NULL;
}

void static_site_log_refusal(struct static_site *s, const struct static_place *place,
                             const char *name, int error)
{
    (void)pthread_mutex_lock(&s->lock); /* cannot fail: it is neither recursive nor robust */
    bool allowed = log_limit_allows(&s->refusals, clock_now_us());
    (void)pthread_mutex_unlock(&s->lock);
    if (!allowed)
        return;
    if (error == -EXDEV)
        log_warning("%s = %s: '%s' is not served: it leads out of the directory (static-safe = DIR "
                    "allows that for DIR)",
                    place->option, place->value, name);
    else
        (void)log_errno(LOG_WARNING, error, "%s = %s: '%s' is not served", place->option,
                        place->value, name);
}
