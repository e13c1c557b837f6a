/* SPDX-License-Identifier: MIT */
/* YAML configurations: a document is a mapping of sections, a section a mapping of options, and an
 * option's value a scalar or a list of scalars, which says the option again for each (reference:
 * docs/configuration.md).
 *
 * Pure: bytes in, lines out, by libyaml's events; no tree is built. Scalars are taken as they are
 * written, since the option's row says what a value means: `chmod-socket: 0660` is no decimal
 * number here. Aliases, tags of other programs and anything nested deeper are refused, but not in
 * sections that nobody wants. Called by load.c by way of the table of formats, and by the fuzzer.
 */
#include "conf/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "conf/settings.h"

#define DEPTH_MAX 64 /* libyaml has no bound, and its time grows with the square */

struct reader {
    const char *text;
    yaml_parser_t parser;
    yaml_event_t event; /* the one that was read last; what it had before is freed */
    const char *file;
    struct conf_line line;
    conf_line_fn *fn;
    void *userdata;
    struct errmsg *err;
};

static void reader_done(struct reader *rd)
{
    yaml_event_delete(&rd->event);
    yaml_parser_delete(&rd->parser);
}

/* The lines that end in text[0 .. len). */
static size_t count_lines(const char *text, size_t len)
{
    size_t n = 0;

    for (const char *c = text; (c = memchr(c, '\n', len - (size_t)(c - text))); c++)
        n++;
    return n;
}

/* Reads the next event. */
static int next(struct reader *rd)
{
    yaml_event_delete(&rd->event);
    if (yaml_parser_parse(&rd->parser, &rd->event))
        return 0;

    const yaml_parser_t *p = &rd->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return -ENOMEM;
    size_t line = p->error == YAML_READER_ERROR ? count_lines(rd->text, p->problem_offset)
                                                : p->problem_mark.line;
    return errmsg_set(rd->err, -EINVAL, "%s:%zu: this is not YAML: %s", rd->file, line + 1,
                      p->problem);
}

static int refuse(struct reader *rd, const char *why)
{
    return errmsg_set(rd->err, -EINVAL, "%s:%zu: %s", rd->file, rd->event.start_mark.line + 1, why);
}

/* The event is to be a scalar that a C string can hold. */
static int check_scalar(struct reader *rd, const char *what)
{
    static const char standard[] = "tag:yaml.org,2002:";
    struct shown shown;

    if (rd->event.type == YAML_ALIAS_EVENT)
        return refuse(rd, "aliases are not supported: write the value itself");
    if (rd->event.type != YAML_SCALAR_EVENT)
        return refuse(rd, what);

    const char *tag = (const char *)rd->event.data.scalar.tag;
    if (tag && strcmp(tag, "!") != 0 && !str_starts(tag, standard))
        return errmsg_set(rd->err, -EINVAL, "%s:%zu: the tag '%s' is not known: leave it out",
                          rd->file, rd->event.start_mark.line + 1, setting_shown(tag, &shown));
    if (memchr(rd->event.data.scalar.value, '\0', rd->event.data.scalar.length))
        return refuse(rd, "there is a NUL byte in the text");
    return 0;
}

static const char *scalar(const struct reader *rd)
{
    return (const char *)rd->event.data.scalar.value;
}

/* A plain null is nothing said. */
static bool is_null(const struct reader *rd)
{
    return rd->event.type == YAML_SCALAR_EVENT && rd->event.data.scalar.plain_implicit &&
           (strcmp(scalar(rd), "~") == 0 || strcmp(scalar(rd), "null") == 0);
}

/* Reads over the node that the event starts. */
static int skip_node(struct reader *rd)
{
    size_t depth = 0;

    for (;;) {
        if (rd->event.type == YAML_MAPPING_START_EVENT ||
            rd->event.type == YAML_SEQUENCE_START_EVENT)
            depth++;
        else if (rd->event.type == YAML_MAPPING_END_EVENT ||
                 rd->event.type == YAML_SEQUENCE_END_EVENT)
            depth--;
        if (depth == 0)
            return 0;
        if (depth > DEPTH_MAX)
            return refuse(rd, "this is nested too deep");
        int r = next(rd);
        if (r < 0)
            return r;
    }
}

/* The event is a value of the option @key. */
static int emit(struct reader *rd, const char *key)
{
    int r = check_scalar(rd, "this is nested too deep: a value is a text or a list of texts");

    if (r < 0 || is_null(rd))
        return r;
    rd->line.key = key;
    rd->line.value = scalar(rd);
    rd->line.number = (unsigned)rd->event.start_mark.line + 1;
    r = rd->fn(rd->userdata, &rd->line, rd->err);
    return r < 0 ? r : 0;
}

static int parse_value(struct reader *rd, const char *key)
{
    int r = next(rd);

    if (r < 0)
        return r;
    if (rd->event.type != YAML_SEQUENCE_START_EVENT)
        return emit(rd, key);
    for (r = next(rd); r == 0 && rd->event.type != YAML_SEQUENCE_END_EVENT; r = next(rd)) {
        r = emit(rd, key);
        if (r < 0)
            return r;
    }
    return r;
}

/* The event is the name of an option. */
static int parse_option(struct reader *rd)
{
    _cleanup_free_ char *key = NULL;
    int r = check_scalar(rd, "the name of an option is a text");

    if (r == 0 && scalar(rd)[0] == '\0')
        r = refuse(rd, "there is no name before the ':'");
    if (r < 0)
        return r;
    key = strdup(scalar(rd));
    return key ? parse_value(rd, key) : -ENOMEM;
}

/* The event is the value of a section. */
static int parse_section(struct reader *rd)
{
    int r = 0;

    if (rd->event.type == YAML_SCALAR_EVENT && (is_null(rd) || scalar(rd)[0] == '\0'))
        return 0;
    if (rd->event.type != YAML_MAPPING_START_EVENT)
        return refuse(rd, "a section is a mapping of options, 'name: value' in a line each");
    for (r = next(rd); r == 0 && rd->event.type != YAML_MAPPING_END_EVENT; r = next(rd)) {
        r = parse_option(rd);
        if (r < 0)
            return r;
    }
    return r;
}

/* The event is the name of a section. */
static int parse_named_section(struct reader *rd)
{
    _cleanup_free_ char *name = NULL;
    int r = check_scalar(rd, "the name of a section is a text");

    if (r < 0)
        return r;
    name = strdup(scalar(rd));
    if (!name)
        return -ENOMEM;
    rd->line.section = name;
    rd->line.key = NULL;
    rd->line.number = (unsigned)rd->event.start_mark.line + 1;
    int skip = rd->fn(rd->userdata, &rd->line, rd->err);
    if (skip < 0)
        return skip;
    r = next(rd);
    if (r == 0)
        r = skip > 0 ? skip_node(rd) : parse_section(rd);
    rd->line.section = "";
    return r;
}

/* The event is what a document holds. */
static int parse_document(struct reader *rd)
{
    int r = 0;

    if (rd->event.type == YAML_SCALAR_EVENT && (is_null(rd) || scalar(rd)[0] == '\0'))
        return 0;
    if (rd->event.type != YAML_MAPPING_START_EVENT)
        return refuse(rd, "a configuration is a mapping of sections: start with 'liege:'");
    for (r = next(rd); r == 0 && rd->event.type != YAML_MAPPING_END_EVENT; r = next(rd)) {
        r = parse_named_section(rd);
        if (r < 0)
            return r;
    }
    return r;
}

int yaml_parse(const char *file, char *text, size_t len, conf_line_fn *fn, void *userdata,
               struct errmsg *err)
{
    _cleanup_(reader_done) struct reader rd = {
        .text = text,
        .file = file,
        .line = {.section = ""},
        .fn = fn,
        .userdata = userdata,
        .err = err,
    };
    int r = 0;

    if (!yaml_parser_initialize(&rd.parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&rd.parser, (const unsigned char *)text, len);
    for (r = next(&rd); r == 0 && rd.event.type != YAML_STREAM_END_EVENT; r = next(&rd)) {
        if (rd.event.type != YAML_DOCUMENT_START_EVENT)
            continue; /* the stream's start, a document's end */
        r = next(&rd);
        if (r == 0)
            r = parse_document(&rd);
        if (r < 0)
            return r;
        rd.line.document++;
    }
    return r;
}
