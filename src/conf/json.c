/* SPDX-License-Identifier: MIT */
/* JSON configurations: an object of sections, a section an object of options, and an option's value
 * a text, number, true, false or null, or a list of these, which says the option again for each
 * (reference: docs/configuration.md). A name may stand twice, as in any other format: blocks need
 * it. An array of such objects is several documents.
 *
 * Pure: bytes in, lines out. jansson judges the whole text first, strictly, and names the line of
 * what is wrong. Its tree does not know lines, and these are promised for every setting; so the
 * text is then read member by member, jansson decoding one value at a time and saying how long it
 * was. Between values there are only blanks and punctuation, which are known to be right. Called by
 * load.c by way of the table of formats, and by the fuzzer. */
#include "conf/json.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"

struct reader {
    const char *file;
    const char *at, *end; /* what is still to be read */
    struct conf_line line;
    unsigned number; /* the line that @at is in */
    conf_line_fn *fn;
    void *userdata;
    struct errmsg *err;
};

static inline void decrefp(json_t **value)
{
    json_decref(*value);
}
#define _cleanup_json_ _cleanup_(decrefp)

/* The character after the blanks. */
static char peek(struct reader *rd)
{
    for (; rd->at < rd->end && strchr(" \t\r\n", *rd->at); rd->at++)
        rd->number += *rd->at == '\n';
    return *rd->at; /* the text has a terminator */
}

/* Goes over the next character if it is @c. */
static bool take(struct reader *rd, char c)
{
    bool is = peek(rd) == c;

    rd->at += is;
    return is;
}

/* Decodes the value that is next; *@ret_len is how long it is written. */
static int take_value(struct reader *rd, json_t **ret, size_t *ret_len)
{
    json_error_t error;

    (void)peek(rd);
    *ret = json_loadb(rd->at, (size_t)(rd->end - rd->at), JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK,
                      &error);
    if (!*ret)
        return -ENOMEM; /* the whole text has been judged */
    *ret_len = (size_t)error.position;
    for (const char *c = rd->at; c < rd->at + *ret_len; c++)
        rd->number += *c == '\n';
    rd->at += *ret_len;
    return 0;
}

/* Decodes a member's name and goes over the colon. */
static int take_name(struct reader *rd, json_t **ret)
{
    size_t len = 0;
    int r = take_value(rd, ret, &len);

    if (r == 0)
        (void)take(rd, ':');
    return r;
}

static int refuse(struct reader *rd, unsigned number, const char *why)
{
    return errmsg_set(rd->err, -EINVAL, "%s:%u: %s", rd->file, number, why);
}

static int emit_text(struct reader *rd, const char *key, const char *text, unsigned number)
{
    rd->line.key = key;
    rd->line.value = text;
    rd->line.number = number;
    int r = rd->fn(rd->userdata, &rd->line, rd->err);
    return r < 0 ? r : 0;
}

/* Numbers as they are written: jansson would round them. */
static int emit_number(struct reader *rd, const char *key, size_t len, unsigned number)
{
    char *text = strndup(rd->at - len, len);

    if (!text)
        return -ENOMEM;
    int r = emit_text(rd, key, text, number);
    free(text);
    return r;
}

/* The next value is one of the option @key. */
static int emit(struct reader *rd, const char *key)
{
    _cleanup_json_ json_t *value = NULL;
    size_t len = 0;

    (void)peek(rd);
    unsigned number = rd->number;
    int r = take_value(rd, &value, &len);
    if (r < 0)
        return r;
    switch (json_typeof(value)) {
    case JSON_STRING:
        return emit_text(rd, key, json_string_value(value), number);
    case JSON_INTEGER:
    case JSON_REAL:
        return emit_number(rd, key, len, number);
    case JSON_TRUE:
        return emit_text(rd, key, "1", number);
    case JSON_FALSE:
        return emit_text(rd, key, "0", number);
    case JSON_NULL:
        return 0; /* nothing said */
    default:
        return refuse(rd, number,
                      "this is nested too deep: a value is a text, a number, true, "
                      "false, null, or a list of these");
    }
}

static int parse_value(struct reader *rd, const char *key)
{
    int r = 0;

    if (!take(rd, '['))
        return emit(rd, key);
    while (r == 0 && !take(rd, ']')) {
        r = emit(rd, key);
        (void)take(rd, ',');
    }
    return r;
}

static int parse_option(struct reader *rd)
{
    _cleanup_json_ json_t *name = NULL;

    (void)peek(rd);
    unsigned number = rd->number;
    int r = take_name(rd, &name);
    if (r < 0)
        return r;
    if (json_string_length(name) == 0)
        return refuse(rd, number, "there is no name before the ':'");
    return parse_value(rd, json_string_value(name));
}

static int skip_value(struct reader *rd)
{
    _cleanup_json_ json_t *value = NULL;
    size_t len = 0;

    return take_value(rd, &value, &len);
}

static int parse_section(struct reader *rd)
{
    _cleanup_json_ json_t *name = NULL;

    (void)peek(rd);
    rd->line.number = rd->number;
    int r = take_name(rd, &name);
    if (r < 0)
        return r;
    rd->line.section = json_string_value(name);
    rd->line.key = NULL;
    r = rd->fn(rd->userdata, &rd->line, rd->err);
    if (r < 0)
        return r;
    if (r > 0)
        return skip_value(rd);
    if (!take(rd, '{'))
        return refuse(rd, rd->number, "a section is an object: {\"option\": \"value\"}");
    while (r == 0 && !take(rd, '}')) {
        r = parse_option(rd);
        (void)take(rd, ',');
    }
    return r;
}

static int parse_document(struct reader *rd)
{
    int r = 0;

    if (!take(rd, '{'))
        return refuse(rd, rd->number, "a configuration is an object: {\"liege\": {...}}");
    while (r == 0 && !take(rd, '}')) {
        r = parse_section(rd);
        (void)take(rd, ',');
    }
    return r;
}

static int parse_documents(struct reader *rd)
{
    int r = 0;

    if (!take(rd, '['))
        return parse_document(rd);
    while (r == 0 && !take(rd, ']')) {
        r = parse_document(rd);
        (void)take(rd, ',');
        rd->line.document++;
    }
    return r;
}

int json_parse(const char *file, char *text, size_t len, conf_line_fn *fn, void *userdata,
               struct errmsg *err)
{
    static const char bom[] = "\xef\xbb\xbf";
    struct reader rd = {.file = file,
                        .at = text,
                        .end = text + len,
                        .line = {.section = ""},
                        .number = 1,
                        .fn = fn,
                        .userdata = userdata,
                        .err = err};
    json_error_t error;

    if (len >= 3 && memcmp(text, bom, 3) == 0)
        rd.at += 3;
    _cleanup_json_ json_t *root = json_loadb(rd.at, (size_t)(rd.end - rd.at), 0, &error);
    if (!root && json_error_code(&error) == json_error_out_of_memory)
        return -ENOMEM;
    if (!root)
        return errmsg_set(err, -EINVAL, "%s:%d: this is not JSON: %s", file, MAX(error.line, 1),
                          error.text);
    return parse_documents(&rd);
}
