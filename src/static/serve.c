/* SPDX-License-Identifier: MIT */
/* Which file a request is for. Each place whose prefix fits is asked in order; the first that has
 * the file answers. A name is taken as it is: one with "." or ".." as a part, with a NUL, or with a
 * hidden part is no file's name, and a slash at its end means a directory. Of a directory an index
 * file is served, under the name with the slash, so that relative links in it work. */
#include "static/serve.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "http/text.h"
#include "static/answer.h"
#include "static/site.h"

/* What looking for a file in a place comes to; negative: the disk or the memory failed. */
enum found {
    FOUND_NOTHING,
    FOUND_FILE,
    FOUND_DIRECTORY, /* with an index; its name has no slash at the end */
};

struct target {
    const struct static_place *place;
    char name[PATH_MAX]; /* in the place; "" is the place itself */
    struct static_file file;
};

static bool is_hidden(const char *part, size_t len)
{
    return part[0] == '.' && !(len == 11 && memcmp(part, ".well-known", 11) == 0); /* RFC 8615 */
}

/* True if each part of the name may be a file's. */
static bool is_name(const char *name, bool dotfiles)
{
    for (const char *part = name; *part != '\0';) {
        size_t len = strcspn(part, "/");
        bool dots = (len == 1 || len == 2) && part[0] == '.' && part[len - 1] == '.';
        if (dots || (!dotfiles && is_hidden(part, len)))
            return false;
        part += len + (part[len] == '/');
    }
    return true;
}

static bool has_prefix(const struct static_place *place, struct liege_str path)
{
    size_t len = place->prefix_len;

    return path.len >= len && (len == 0 || memcmp(path.data, place->prefix, len) == 0) &&
           (path.len == len || path.data[len] == '/');
}

/* Writes the name that @path has in @place. False if it has none. */
static bool make_name(const struct static_site *site, const struct static_place *place,
                      struct liege_str path, char name[PATH_MAX])
{
    size_t skip = place->prefix_len;

    if (!has_prefix(place, path))
        return false;
    while (skip < path.len && path.data[skip] == '/')
        skip++;
    if (path.len - skip >= PATH_MAX)
        return false;
    memcpy(name, path.data + skip, path.len - skip);
    name[path.len - skip] = '\0';
    if (!is_name(name, site->conf->dotfiles))
        return false;
    if (!place->keeps_prefix || (*name == '\0' && place->root.fd < 0))
        return true;
    for (skip = 0; skip < path.len && path.data[skip] == '/';)
        skip++;
    return snprintf(name, PATH_MAX, "%.*s", (int)(path.len - skip), path.data + skip) < PATH_MAX;
}

static bool ends_with_one_of(const char *text, const struct liege_list *ends)
{
    for (size_t i = 0; i < ends->n_items; i++)
        if (str_ends(text, ends->items[i]))
            return true;
    return false;
}

static int open_name(struct static_site *site, struct target *t)
{
    t->file = (struct static_file){.fd = -EBADF};
    return static_root_open(&t->place->root, t->name, "", site->safe, site->n_safe, &t->file);
}

/* What an error of opening means to the client. */
static int judge(struct static_site *site, const struct target *t, int error)
{
    switch (-error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case ENXIO: /* a socket */
    case ENODEV:
        return FOUND_NOTHING;
    case EXDEV:
    case EACCES:
    case EPERM:
        static_site_log_refusal(site, t->place, t->name, error);
        return FOUND_NOTHING;
    default:
        static_site_log_refusal(site, t->place, t->name, error);
        return error;
    }
}

/* @t->name is a directory: looks for an index in it, whose name it becomes. */
static int find_index(struct static_site *site, struct target *t, bool slash)
{
    const struct liege_list *indexes = &site->conf->indexes;
    size_t len = strlen(t->name);

    if (len > 0 && t->name[len - 1] != '/')
        t->name[len++] = '/';
    for (size_t i = 0; i < indexes->n_items; i++) {
        if ((size_t)snprintf(t->name + len, sizeof(t->name) - len, "%s", indexes->items[i]) >=
            sizeof(t->name) - len)
            continue;
        int r = open_name(site, t);
        r = r < 0 ? judge(site, t, r) : FOUND_FILE;
        if (r < 0)
            return r;
        if (r == FOUND_FILE && S_ISREG(t->file.st.st_mode))
            return slash ? FOUND_FILE : FOUND_DIRECTORY;
        if (r == FOUND_FILE)
            closep(&t->file.fd);
    }
    return FOUND_NOTHING;
}

/* Looks for the file in one place. FOUND_FILE and FOUND_DIRECTORY leave @t->file open. */
static int find(struct static_site *site, struct liege_str path, struct target *t)
{
    const bool slash = path.len > 0 && path.data[path.len - 1] == '/';
    int r = open_name(site, t);

    if (r < 0)
        return judge(site, t, r);
    if (S_ISREG(t->file.st.st_mode) && !slash)
        return FOUND_FILE;
    closep(&t->file.fd);
    return S_ISDIR(t->file.st.st_mode) ? find_index(site, t, slash) : FOUND_NOTHING;
}

static void answer(struct static_site *site, const struct liege_respond *respond,
                   struct liege_request *req, int found, struct target *t)
{
    const struct static_answer a = {
        .site = site,
        .place = t->place,
        .name = t->name,
        .respond = respond,
        .req = req,
    };

    if (found < 0)
        respond->fail(req);
    else if (!static_reads(req))
        static_answer_not_allowed(&a);
    else if (found == FOUND_DIRECTORY)
        static_answer_redirect(&a);
    else
        static_answer_file(&a, &t->file);
}

/* Asks one place. True if the request has been answered. */
static bool serve_from(struct static_site *site, const struct liege_respond *respond,
                       struct liege_request *req, struct target *t)
{
    const struct liege_list *skip = &site->conf->skip_exts;

    if ((t->place->only_reads && !static_reads(req)) ||
        !make_name(site, t->place, req->path, t->name) || ends_with_one_of(t->name, skip))
        return false;
    int found = find(site, req->path, t);
    if (found == FOUND_NOTHING)
        return false;
    bool mine = found < 0 || !ends_with_one_of(t->name, skip); /* an index has its own name */
    if (mine)
        answer(site, respond, req, found, t);
    if (found > 0)
        closep(&t->file.fd);
    return mine;
}

enum static_result static_serve(struct static_site *site, const struct liege_respond *respond,
                                struct liege_request *req)
{
    struct target t;

    if (!site || req->path.len == 0 || memchr(req->path.data, '\0', req->path.len))
        return STATIC_NOT_MINE;
    for (size_t i = 0; i < site->n_places; i++) {
        t.place = &site->places[i];
        if (serve_from(site, respond, req, &t))
            return STATIC_SERVED;
    }
    return STATIC_NOT_MINE;
}
