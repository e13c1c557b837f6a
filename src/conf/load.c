/* SPDX-License-Identifier: MIT */
/* Collecting settings: the list that command line, environment and files add to, and the files that
 * name each other.
 *
 * loader_add() is the only way in, and leads through the blocks of logic.c. An option that names a
 * file reads it there and then, so that its settings stand where it was named; `inherit` waits
 * until everything else is there. Bounds: files nest 32 deep and 1000 in all, none is longer than
 * 16 MiB; a file that leads back to itself is an error that shows the way. Called by conf.c, which
 * runs the front ends. */
#include "conf/load.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "conf/declare.h"
#include "conf/environment.h"
#include "conf/expand.h"
#include "conf/format.h"
#include "conf/meta.h"
#include "conf/part.h"
#include "conf/source.h"

#define DEPTH_MAX      32
#define FILES_MAX      1000
#define FILE_MAX_BYTES (16U << 20)

/* The file being parsed, and what was seen of its sections. */
struct reading {
    struct loader *l;
    struct load_frame *frame;
    bool found;
    bool warned;
    struct liege_list sections; /* for the message when the wanted one is missing */
};

static void reading_done(struct reading *rd)
{
    strv_done(&rd->sections);
}

static void frame_free(struct load_frame *f)
{
    free(f->uri);
    free(f->spec);
    free(f->section);
    free(f->path);
    free(f);
}

int loader_init(struct loader *l, const struct conf_input *in, struct conf *conf,
                struct errmsg *err)
{
    *l = (struct loader){
        .in = in,
        .lookup = {in->tables, in->n_tables},
        .conf = conf,
        .err = err,
        .magic = {.binary = in->binary ? in->binary : "",
                  .version = in->version ? in->version : ""},
    };
    (void)gettimeofday(&l->magic.now, NULL); /* cannot fail */
    l->cwd = in->cwd ? strdup(in->cwd) : get_current_dir_name();
    if (!l->cwd)
        return errmsg_set_errno(err, -errno, "current directory");
    l->magic.cwd = l->cwd;
    l->sources = (struct source_world){
        .cwd = l->cwd,
        .environ = in->environ,
        .cache = in->sources ? in->sources : &l->own_cache,
        .receive = in->receive,
    };
    return 0;
}

struct expand_world loader_world(const struct loader *l)
{
    return (struct expand_world){
        .environ = l->in->environ,
        .ienv = &l->ienv,
        .ienv_trust = l->ienv_trust,
        .sources = &l->sources,
    };
}

void loader_done(struct loader *l)
{
    for (struct load_frame *f = l->newest, *older = NULL; f; f = older) {
        older = f->older;
        frame_free(f);
    }
    for (size_t i = 0; i < l->n_inherits; i++)
        setting_done(&l->inherits[i].setting);
    free(l->inherits);
    settings_done(&l->list);
    logic_done(&l->logic);
    settings_done(&l->declared);
    strv_done(&l->ienv);
    free(l->mode);
    source_cache_done(&l->own_cache);
    free(l->cwd);
    *l = (struct loader){0};
}

int loader_add(struct loader *l, const char *key, const char *value, const char *file,
               unsigned line)
{
    /* The strings are only read, and copied by whoever keeps them. */
    const struct conf_setting s = {
        .key = (char *)key,
        .value = (char *)value,
        .file = (char *)file,
        .line = line,
        .trust = l->trust,
    };

    return logic_line(l, &s);
}

int loader_act(struct loader *l, const struct conf_setting *s)
{
    int r = declare_act(l, s);

    if (r == 0)
        r = meta_immediate(l, s);
    if (r != 0)
        return r < 0 ? r : 0;
    return settings_append(&l->list, s);
}

int loader_expand(struct loader *l, const struct conf_setting *s, char **ret,
                  struct trust *ret_trust)
{
    const struct expand_world world = loader_world(l);

    return expand_early(&l->list, s, &world, ret, ret_trust, l->err);
}

/* "a.ini:2 -> b.ini:1 -> a.ini", where @last names @again again. */
static int refuse_cycle(struct loader *l, const struct conf_setting *s,
                        const struct load_frame *again, const struct load_frame *last)
{
    const struct load_frame *chain[DEPTH_MAX];
    size_t n = 0;
    char text[512] = "", *end = text + sizeof(text), *at = text;

    for (const struct load_frame *f = last; f && f != again; f = f->parent)
        chain[n++] = f;
    at += snprintf(at, (size_t)(end - at), "%.128s:", again->spec);
    while (n > 0 && at < end) {
        const struct load_frame *f = chain[--n];
        at += snprintf(at, (size_t)(end - at), "%u -> %.128s:", f->parent_line, f->spec);
    }
    return errmsg_set(l->err, -ELOOP, "files include each other: %s%u -> %s", text, s->line,
                      again->spec);
}

/* Two texts are one if they are the same file, or are written the same way. */
static bool same_text(const struct load_frame *a, const struct load_frame *b)
{
    bool files = source_is_file(a->uri) && source_is_file(b->uri);

    if (strcmp(files ? a->path : a->uri, files ? b->path : b->uri) != 0)
        return false;
    return a->section && b->section ? strcmp(a->section, b->section) == 0
                                    : a->section == b->section;
}

static int check_chain(struct loader *l, const struct conf_setting *s, const struct load_frame *f)
{
    for (const struct load_frame *p = f->parent; p; p = p->parent)
        if (same_text(p, f))
            return refuse_cycle(l, s, p, f->parent);
    if (f->depth > DEPTH_MAX)
        return errmsg_set(l->err, -ELOOP, "files are included more than %d deep", DEPTH_MAX);
    if (++l->n_files > FILES_MAX)
        return errmsg_set(l->err, -E2BIG, "more than %d files are read", FILES_MAX);
    return 0;
}

/* A new frame belongs to the loader at once: an error ends the load. */
static struct load_frame *frame_new(struct loader *l)
{
    struct load_frame *f = calloc(1, sizeof(*f));

    if (f) {
        f->older = l->newest;
        l->newest = f;
    }
    return f;
}

/* Fills @f for the file that @text names: "app.ini", "app.ini:section", ":section". */
static int init_frame(struct loader *l, struct load_frame *f, const struct conf_setting *s,
                      const char *text, struct load_frame *parent)
{
    struct shown shown;

    f->uri = strdup(text);
    if (!f->uri)
        return -ENOMEM;

    const char *section = source_split_section(f->uri);
    if (section) {
        f->section = strdup(section);
        if (!f->section)
            return -ENOMEM;
    }
    if (section && f->uri[0] == '\0') {
        if (!f->older)
            return errmsg_set(l->err, -EINVAL, "':%s': no file was read before", f->section);
        f->format = f->older->format;
        free(f->uri);
        f->uri = strdup(f->older->uri);
        if (!f->uri)
            return -ENOMEM;
    }
    f->spec = strdup(source_shown(f->uri, &shown));
    if (!f->spec)
        return -ENOMEM;

    int r = source_path(l->cwd, f->uri, &f->path, l->err);
    if (r < 0)
        return r;
    f->parent = parent;
    f->parent_line = s->line;
    f->depth = parent ? parent->depth + 1 : 1;
    f->magic = (struct magic_file){.spec = f->spec, .path = f->path, .section = ""};
    return 0;
}

/* The option that names the file says its format, else the ending of the name; a part of any other
 * name is INI. ":section" has the format of the file read last, which @f has already. */
static const struct format *choose_format(const struct conf_setting *s, const struct load_frame *f)
{
    const struct liege_option *row = conf_find_option(&conf_meta_table, 1, s->key, NULL);
    const struct format *format = f->format;

    if (!format && row)
        format = format_of_option(row->name);
    if (!format)
        format = format_of_name(f->spec);
    return format ? format : format_of_option("ini");
}

/* @section, which is one of @f's, as a string that outlives the text: %X is wanted later too. */
static const char *section_name(const struct load_frame *f, const char *section)
{
    if (f->section)
        return f->section;
    return strcmp(section, "liege") == 0 ? "liege" : "uwsgi";
}

static struct trust trust_in_names(const struct magic *m)
{
    const char *const names[] = {m->file->path, m->file->spec, m->first->path, m->first->spec,
                                 m->cwd};
    struct trust trust = {0};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        trust = trust_weaker(trust, trust_of_name(names[i]));
    return trust;
}

/* Appends @text to @out, with the magic variables @m replaced and as a string. What is put together
 * with names may do no more than these: *@trust. *@ret_unknown is as magic_expand() says. */
static int replace_magic(const struct magic *m, const char *text, struct buf *out,
                         struct trust *trust, char *ret_unknown)
{
    int r = magic_expand(m, text, out, ret_unknown);

    if (r == 0)
        r = buf_append(out, "", 1);
    if (r == 0 && strcmp(buf_at(out), text) != 0)
        *trust = trust_weaker(*trust, trust_in_names(m));
    return r;
}

static int warn_of_unknown(struct loader *l, const struct conf_setting *s, char unknown)
{
    if (unknown <= ' ' || unknown >= 0x7f)
        return 0;
    return setting_warn(s, &l->conf->warnings,
                        "%%%c is no magic variable and is left as it is (%%%% is a percent sign)",
                        unknown);
}

/* The setting with its magic variables replaced goes the way of all settings. */
static int add_line(struct reading *rd, const struct conf_line *line)
{
    struct loader *l = rd->l;
    struct load_frame *f = rd->frame;
    const struct conf_setting s = {.file = f->spec, .line = line->number};
    struct magic m = l->magic;
    _cleanup_(buf_done) struct buf key = {0};
    _cleanup_(buf_done) struct buf value = {0};
    struct trust of_key = f->trust, of_value = f->trust;
    char unknown_key = '\0', unknown = '\0';

    f->magic.section = section_name(f, line->section);
    m.file = &f->magic;
    if (!m.first)
        m.first = m.file;

    int r = replace_magic(&m, line->key, &key, &of_key, &unknown_key);
    if (r == 0)
        r = replace_magic(&m, line->value, &value, &of_value, &unknown);
    if (unknown == '\0')
        unknown = unknown_key;
    if (r == 0)
        r = warn_of_unknown(l, &s, unknown);
    if (r < 0)
        return r;
    l->trust = of_value;
    return loader_add(l, buf_at(&key), buf_at(&value), f->spec, line->number);
}

/* Values in the environment may have names of the first configuration in them, which nobody knew
 * when they were read. */
static int expand_environment(struct loader *l)
{
    struct magic m = l->magic;

    m.file = m.first;
    for (size_t i = 0; m.first && i < l->list.n_items; i++) {
        struct conf_setting *s = &l->list.items[i];
        _cleanup_(buf_done) struct buf value = {0};
        char unknown = '\0';

        if (!environment_said(s))
            continue;
        int r = replace_magic(&m, s->value, &value, &s->trust, &unknown);
        if (r == 0)
            r = warn_of_unknown(l, s, unknown);
        if (r < 0)
            return r;
        char *text = strdup(buf_at(&value));
        if (!text)
            return -ENOMEM;
        free(s->value);
        s->value = text;
    }
    return 0;
}

/* True if what stands in @section is wanted of @f. */
static bool is_wanted(const struct load_frame *f, const char *section)
{
    const char *part = part_of_section(section);

    if (!f->section)
        return part_is_common(section);
    if (f->is_part)
        return part_is_common(section) || (part && strcmp(part, f->section) == 0);
    return strcmp(section, f->section) == 0;
}

/* A conf_line_fn: only looks which sections there are. */
static int on_section(void *userdata, const struct conf_line *line, struct errmsg *err)
{
    struct load_frame *f = userdata;
    const char *part = line->key ? NULL : part_of_section(line->section);

    (void)err;
    f->has_parts |= part != NULL;
    f->is_part |= part && f->section && strcmp(part, f->section) == 0;
    return line->key ? 0 : 1;
}

/* Finds out whether the file holds several vassals. What is wrong with it is said when it is read.
 */
static int look_for_parts(struct load_frame *f, const char *text, size_t len)
{
    _cleanup_free_ char *copy = malloc(len + 1);
    struct errmsg ignored = {""};

    if (!copy)
        return -ENOMEM;
    assert(text); /* source_read() gave it */
    memcpy(copy, text, len + 1);
    (void)f->format->parse(f->spec, copy, len, on_section, f, &ignored);
    return 0;
}

/* A conf_line_fn. */
static int on_line(void *userdata, const struct conf_line *line, struct errmsg *err)
{
    struct reading *rd = userdata;
    bool ours = is_wanted(rd->frame, line->section);

    if (line->document > 0 && !rd->frame->has_parts)
        return errmsg_set(
            err, -ENOTSUP,
            "%s:%u: a second configuration begins here: a file has one, or several in sections "
            "called vassal:NAME",
            rd->frame->spec, line->number);
    if (!line->key) {
        rd->found |= ours;
        int r = strv_append(&rd->sections, line->section);
        return r < 0 ? r : !ours;
    }
    if (line->mode && (!rd->l->mode || strcmp(line->mode, rd->l->mode) != 0))
        return 0;
    if (ours)
        return add_line(rd, line);
    if (line->section[0] != '\0' || rd->warned)
        return 0;

    const struct conf_setting s = {.file = rd->frame->spec, .line = line->number};
    rd->warned = true;
    return setting_warn(&s, &rd->l->conf->warnings,
                        "what stands before the first [section] is ignored");
}

static int refuse_section(const struct reading *rd)
{
    const struct load_frame *f = rd->frame;
    char text[512] = "none";
    size_t used = 0;

    for (size_t i = 0; i < rd->sections.n_items && used < sizeof(text); i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s[%.64s]", i > 0 ? " " : "",
                                 rd->sections.items[i]);
    if (f->section)
        return errmsg_set(rd->l->err, -EINVAL, "%s: there is no section [%.64s]; there are: %s",
                          f->spec, f->section, text);
    return errmsg_set(rd->l->err, -EINVAL,
                      "%s: there is no section [liege] or [uwsgi]; there are: %s", f->spec, text);
}

static int parse_file(struct loader *l, struct load_frame *f, char *text, size_t len)
{
    _cleanup_(reading_done) struct reading rd = {.l = l, .frame = f};
    struct load_frame *outer = l->frame;
    size_t blocks = logic_enter(&l->logic);
    struct trust outer_trust = l->trust;

    if (f->has_parts && !f->section)
        return errmsg_set(l->err, -EINVAL,
                          "%s holds several vassals, in sections called vassal:NAME: name one as "
                          "%s:NAME",
                          f->spec, f->spec);
    l->frame = f;
    int r = f->format->parse(f->spec, text, len, on_line, &rd, l->err);
    l->frame = outer;
    l->trust = outer_trust;
    if (r == 0 && !rd.found)
        r = refuse_section(&rd);
    return r < 0 ? r : logic_leave(l, blocks);
}

/* From now on @f counts: for %N, for the instance's name, for the list of files. */
static int register_frame(struct loader *l, struct load_frame *f, enum load_kind kind)
{
    struct stat st = {0};

    assert(f->path); /* init_frame() saw to it */
    bool is_file = source_is_file(f->uri) && stat(f->path, &st) == 0 && !S_ISFIFO(st.st_mode);
    f->magic.inode = is_file ? st.st_ino : 0;
    if (kind == LOAD_CONFIG && !l->magic.first) {
        const char *base = strrchr(f->path, '/') + 1;
        l->magic.first = &f->magic;
        if (asprintf(&l->conf->name, "%s%s%s", base, f->is_part ? ":" : "",
                     f->is_part ? f->section : "") < 0) {
            l->conf->name = NULL;
            return -ENOMEM;
        }
    }
    if (!is_file || strv_contains(&l->conf->files, f->path))
        return 0;
    return strv_append(&l->conf->files, f->path);
}

int loader_read_file(struct loader *l, const struct conf_setting *s, struct load_frame *parent,
                     enum load_kind kind)
{
    struct source_text got = {0};
    struct trust who = {0};
    _cleanup_free_ char *name = NULL, *text = NULL;
    int r = loader_expand(l, s, &name, &who);

    if (r < 0)
        return r;

    struct load_frame *f = frame_new(l);
    if (!f)
        return -ENOMEM;
    if (name[0] == ':')
        who = (struct trust){0}; /* another section of what has been read */
    r = init_frame(l, f, s, name, parent);
    if (r == 0)
        f->format = choose_format(s, f);
    if (r == 0)
        r = check_chain(l, s, f);
    if (r == 0)
        r = source_read(&l->sources, f->uri, &who, FILE_MAX_BYTES, &got, l->err);
    if (r < 0)
        return setting_blame(s, r, l->err);
    text = got.text;
    f->trust = got.trust;
    r = look_for_parts(f, text, got.len);
    if (r == 0)
        r = register_frame(l, f, kind);
    return r < 0 ? r : parse_file(l, f, text, got.len);
}

/* Takes the meta options out of the list. */
static int finish_meta(struct loader *l)
{
    size_t kept = 0;
    int r = 0;

    for (size_t i = 0; i < l->list.n_items; i++) {
        struct conf_setting s = l->list.items[i];

        r = r < 0 ? r : meta_final(l, &s);
        if (r > 0)
            setting_done(&s);
        else
            l->list.items[kept++] = s; /* also what is left after an error */
    }
    l->list.n_items = kept;
    return r < 0 ? r : 0;
}

int loader_finish(struct loader *l)
{
    int r = expand_environment(l);

    for (size_t i = 0; r == 0 && i < l->n_inherits; i++) { /* what is read may inherit more */
        struct load_inherit inherit = l->inherits[i];
        r = loader_read_file(l, &inherit.setting, inherit.frame, LOAD_INCLUDE);
    }
    struct expand_world world = loader_world(l);
    world.warnings = &l->conf->warnings;
    if (r == 0)
        r = expand_settings(&l->list, &world, l->err);
    if (r == 0)
        r = finish_meta(l);
    return r;
}
