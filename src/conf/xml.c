/* SPDX-License-Identifier: MIT */
/* XML configurations: the root <liege> or <uwsgi> is a section, or any other root contains such
 * elements, which an attribute id may name. The elements in a section are options, their text the
 * value; an attribute mode says under which `mode` one counts (reference: docs/configuration.md).
 * What stands behind the first root is a document of its own.
 *
 * Pure: bytes in, lines out, by expat. A document type is refused, so there are no entities but
 * XML's five, none that could grow and none from elsewhere. Elements in an option are refused, but
 * not in sections that nobody wants. Called by load.c by way of the table of formats, and by the
 * fuzzer. */
#include "conf/xml.h"

#include <errno.h>
#include <expat.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "conf/settings.h"

#define ROOTS_MAX 10000

struct reader {
    XML_Parser parser;
    const char *file;
    struct conf_line line;
    unsigned first_line; /* of the root, less one */
    unsigned depth;      /* of open elements */
    unsigned section;    /* the depth of the section's element; 0: in none */
    bool skip;           /* the section is not wanted */
    char *name, *mode;   /* of the section, of the option */
    struct buf value;
    conf_line_fn *fn;
    void *userdata;
    struct errmsg *err;
    int result; /* below 0: why it was stopped */
};

static const char blanks[] = " \t\r\n";

static void reader_done(struct reader *rd)
{
    XML_ParserFree(rd->parser);
    free(rd->name);
    free(rd->mode);
    buf_done(&rd->value);
}

static unsigned line_number(const struct reader *rd)
{
    return rd->first_line + (unsigned)XML_GetCurrentLineNumber(rd->parser);
}

/* Ends the parsing with @result. */
static void stop(struct reader *rd, int result)
{
    if (result >= 0 || rd->result < 0)
        return;
    rd->result = result;
    (void)XML_StopParser(rd->parser, XML_FALSE); /* fails if it is stopped already */
}

static void refuse(struct reader *rd, const char *why, const char *name)
{
    struct shown shown;

    stop(rd, errmsg_set(rd->err, -EINVAL, "%s:%u: <%s>: %s", rd->file, line_number(rd),
                        setting_shown(name, &shown), why));
}

/* @attributes are names and values in turn. */
static const char *attribute(const char *const *attributes, const char *name)
{
    for (; *attributes; attributes += 2)
        if (strcmp(attributes[0], name) == 0)
            return attributes[1];
    return NULL;
}

static bool is_section(const char *name)
{
    return strcmp(name, "liege") == 0 || strcmp(name, "uwsgi") == 0;
}

static void start_section(struct reader *rd, const char *name, const char *const *attributes)
{
    const char *id = attribute(attributes, "id");

    free(rd->name);
    rd->name = strdup(id ? id : name);
    if (!rd->name) {
        stop(rd, -ENOMEM);
        return;
    }
    rd->section = rd->depth;
    rd->line.section = rd->name;
    rd->line.key = NULL;
    rd->line.mode = NULL;
    rd->line.number = line_number(rd);
    int r = rd->fn(rd->userdata, &rd->line, rd->err);
    rd->skip = r > 0;
    stop(rd, r);
}

static void start_option(struct reader *rd, const char *name, const char *const *attributes)
{
    const char *mode = attribute(attributes, "mode");

    if (attributes[0] && (!mode || attributes[2])) {
        refuse(rd, "an option has no attribute but mode", name);
        return;
    }
    free(rd->mode);
    rd->mode = mode ? strdup(mode) : NULL;
    if (mode && !rd->mode)
        stop(rd, -ENOMEM);
    buf_consume(&rd->value, buf_len(&rd->value));
    rd->line.number = line_number(rd);
}

static void XMLCALL on_start(void *userdata, const char *name, const char **attributes)
{
    struct reader *rd = userdata;

    rd->depth++;
    if (rd->result < 0)
        return;
    if (rd->section == 0 && rd->depth <= 2 && is_section(name))
        start_section(rd, name, attributes);
    else if (rd->section == 0 || rd->skip)
        return;
    else if (rd->depth == rd->section + 1)
        start_option(rd, name, attributes);
    else
        refuse(rd, "an element inside of an option's: a value is text", name);
}

/* Cuts blanks off both ends of what was gathered. */
static int finish_value(struct reader *rd)
{
    int r = buf_append(&rd->value, "", 1);

    if (r < 0)
        return r;
    size_t front = strspn(buf_at(&rd->value), blanks);
    buf_consume(&rd->value, front);

    char *text = buf_at(&rd->value);
    size_t len = strlen(text);
    while (len > 0 && strchr(blanks, text[len - 1]))
        len--;
    text[len] = '\0';
    rd->line.value = text;
    return 0;
}

static void end_option(struct reader *rd, const char *name)
{
    int r = finish_value(rd);

    rd->line.key = name;
    rd->line.mode = rd->mode;
    if (r == 0)
        r = rd->fn(rd->userdata, &rd->line, rd->err);
    stop(rd, r);
    buf_consume(&rd->value, buf_len(&rd->value));
}

static void XMLCALL on_end(void *userdata, const char *name)
{
    struct reader *rd = userdata;
    unsigned depth = rd->depth--;

    if (rd->result < 0)
        return;
    if (rd->section > 0 && !rd->skip && depth == rd->section + 1)
        end_option(rd, name);
    if (depth == rd->section)
        rd->section = 0;
}

static void XMLCALL on_text(void *userdata, const char *text, int len)
{
    struct reader *rd = userdata;

    if (rd->result < 0 || rd->section == 0 || rd->skip)
        return;
    if (rd->depth > rd->section) {
        stop(rd, buf_append(&rd->value, text, (size_t)len));
        return;
    }
    for (int i = 0; i < len; i++)
        if (!strchr(blanks, text[i])) {
            refuse(rd, "text outside of an option's element", rd->name);
            return;
        }
}

static void XMLCALL on_doctype(void *userdata, const char *name, const char *system,
                               const char *public, int has_internal)
{
    struct reader *rd = userdata;

    (void)name;
    (void)system;
    (void)public;
    (void)has_internal;
    stop(rd, errmsg_set(rd->err, -EINVAL, "%s:%u: a document type is not accepted: remove it",
                        rd->file, line_number(rd)));
}

/* Parses one root from text[0 .. len). Returns 1 with *@ret_used if there is more behind it, else 0
 * or a negative errno. */
static int parse_root(struct reader *rd, const char *text, size_t len, size_t *ret_used)
{
    XML_ParserFree(rd->parser);
    rd->parser = XML_ParserCreate(NULL);
    if (!rd->parser)
        return -ENOMEM;
    rd->depth = rd->section = 0;
    XML_SetUserData(rd->parser, rd);
    XML_SetElementHandler(rd->parser, on_start, on_end);
    XML_SetCharacterDataHandler(rd->parser, on_text);
    XML_SetStartDoctypeDeclHandler(rd->parser, on_doctype);

    if (XML_Parse(rd->parser, text, (int)len, true) == XML_STATUS_OK)
        return 0;
    enum XML_Error error = XML_GetErrorCode(rd->parser);
    long used = XML_GetCurrentByteIndex(rd->parser);
    if (rd->result < 0)
        return rd->result;
    if (error == XML_ERROR_NO_MEMORY)
        return -ENOMEM;
    if (used > 0 && (error == XML_ERROR_JUNK_AFTER_DOC_ELEMENT ||
                     (error == XML_ERROR_MISPLACED_XML_PI && rd->depth == 0))) {
        *ret_used = (size_t)used;
        return 1;
    }
    return errmsg_set(rd->err, -EINVAL, "%s:%u: this is not XML: %s", rd->file, line_number(rd),
                      XML_ErrorString(error));
}

int xml_parse(const char *file, char *text, size_t len, conf_line_fn *fn, void *userdata,
              struct errmsg *err)
{
    _cleanup_(reader_done) struct reader rd = {
        .file = file, .line = {.section = ""}, .fn = fn, .userdata = userdata, .err = err};
    size_t used = 0;
    int r = parse_root(&rd, text, len, &used);

    while (r > 0) {
        rd.first_line = line_number(&rd) - 1;
        text += used;
        len -= used;
        if (++rd.line.document == ROOTS_MAX)
            return errmsg_set(err, -E2BIG, "%s: more than %d roots", file, ROOTS_MAX);
        r = parse_root(&rd, text, len, &used);
    }
    return r;
}
