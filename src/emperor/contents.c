/* SPDX-License-Identifier: MIT */
/* A configuration file as the Emperor sees it. In every format a section called vassal:NAME is a
 * vassal of its own, with what stands in the sections liege and uwsgi before it; what is in any
 * other section belongs to nobody and changes nothing. Used by monitor-entry.c. */
#include "emperor/contents.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/strv.h"
#include "conf/format.h"
#include "conf/part.h"

#define FILE_MAX_BYTES (1U << 20)
#define MAX_SECTIONS   1000 /* of vassals: they are looked for one by one */

struct reading {
    const char *path;
    struct contents *contents;
    const struct emperor_conf *conf;
    struct contents_part *part; /* of the section that is being read; NULL: it is none's */
    enum { SECTION_OTHER, SECTION_COMMON, SECTION_EMPEROR } kind;
    uint64_t common;
    size_t n_sections; /* of vassals */
};

/* FNV-1a, 64 bits: it tells versions of one file apart, nobody gains by two that look the same. */
static uint64_t digest_bytes(uint64_t digest, const void *bytes, size_t len)
{
    const unsigned char *b = bytes;

    if (digest == 0)
        digest = 0xcbf29ce484222325;
    for (size_t i = 0; i < len; i++)
        digest = (digest ^ b[i]) * 0x100000001b3;
    return digest;
}

static uint64_t digest_line(uint64_t digest, const struct conf_line *line)
{
    digest = digest_bytes(digest, line->key, strlen(line->key) + 1);
    digest =
        digest_bytes(digest, line->mode ? line->mode : "", line->mode ? strlen(line->mode) : 0);
    return digest_bytes(digest, line->value, strlen(line->value) + 1);
}

static int begin_part(struct reading *rd, const char *name, struct errmsg *err)
{
    struct contents *c = rd->contents;

    if (++rd->n_sections > MAX_SECTIONS)
        return errmsg_set(err, -E2BIG, "%s has more than %d sections of vassals", rd->path,
                          MAX_SECTIONS);
    for (size_t i = 0; i < c->n_parts; i++)
        if (strcmp(c->parts[i].name, name) == 0) {
            rd->part = &c->parts[i];
            return 0;
        }
    struct contents_part *parts = realloc(c->parts, (c->n_parts + 1) * sizeof(*parts));
    char *copy = strdup(name);
    if (parts)
        c->parts = parts;
    if (!parts || !copy) {
        free(copy);
        return -ENOMEM;
    }
    parts[c->n_parts] = (struct contents_part){.name = copy};
    rd->part = &parts[c->n_parts++];
    return 0;
}

static int begin_section(struct reading *rd, const char *section, struct errmsg *err)
{
    const char *name = part_of_section(section);

    rd->part = NULL;
    rd->kind = part_is_common(section)           ? SECTION_COMMON
               : strcmp(section, "emperor") == 0 ? SECTION_EMPEROR
                                                 : SECTION_OTHER;
    if (name)
        return begin_part(rd, name, err);
    return rd->kind == SECTION_OTHER;
}

static bool is_wanted(const struct emperor_conf *c, const char *key)
{
    return strv_contains(&c->collect_attr, key) ||
           (c->chdir_attr && strcmp(c->chdir_attr, key) == 0) ||
           (c->wrapper_attr && strcmp(c->wrapper_attr, key) == 0) ||
           (c->fork_server_attr && strcmp(c->fork_server_attr, key) == 0);
}

static int add_attribute(struct reading *rd, const struct conf_line *line)
{
    if (!is_wanted(rd->conf, line->key))
        return 0;
    return strv_appendf(&rd->contents->attributes, "%s=%s", line->key, line->value);
}

/* A conf_line_fn. */
static int on_line(void *userdata, const struct conf_line *line, struct errmsg *err)
{
    struct reading *rd = userdata;

    if (!line->key)
        return begin_section(rd, line->section, err);
    if (rd->part)
        rd->part->digest = digest_line(rd->part->digest, line);
    else if (rd->kind == SECTION_COMMON)
        rd->common = digest_line(rd->common, line);
    else if (rd->kind == SECTION_EMPEROR)
        return add_attribute(rd, line);
    return 0;
}

/* Nothing that another user has put there makes us wait: a FIFO is opened, and seen to be none of
 * ours. */
int contents_read(const char *path, const struct emperor_conf *conf, struct contents *ret,
                  struct errmsg *err)
{
    const struct format *format = format_of_name(path);
    _cleanup_free_ char *text = NULL;
    struct reading rd = {.path = path, .contents = ret, .conf = conf};
    size_t len = 0;

    *ret = (struct contents){0};
    int r = format ? file_read_regular(path, FILE_MAX_BYTES, &text, &len) : -EFBIG;
    if (r == -EFBIG || r == -EBADF)
        return 0;
    if (r < 0)
        return errmsg_set_errno(err, r, "cannot read %s", path);
    ret->digest = digest_bytes(0, text, len);
    r = format->parse(path, text, len, on_line, &rd, err);
    for (size_t i = 0; i < ret->n_parts; i++)
        ret->parts[i].digest = digest_bytes(ret->parts[i].digest, &rd.common, sizeof(rd.common));
    return r;
}

void contents_done(struct contents *c)
{
    for (size_t i = 0; i < c->n_parts; i++)
        free(c->parts[i].name);
    free(c->parts);
    strv_done(&c->attributes);
    *c = (struct contents){0};
}
