/* SPDX-License-Identifier: MIT */
/* Media types of files. A small table of what the web is made of is built in, so that style sheets
 * and scripts have the same type on every machine; the system's list adds to it and a list that the
 * operator names overrides it. A type is sent as a field's value, so one that could not stand there
 * is not taken. Filled once at start, read by the static files. */
#include "http/mime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "http/text.h"

#define EXTENSION_MAX 31
#define UNKNOWN       "application/octet-stream"

struct http_mime_entry {
    struct http_mime_entry *next;
    char extension[EXTENSION_MAX + 1]; /* lower case; the key in the table */
    char type[];
};

/* Sorted by extension. */
/* clang-format off */
static const struct builtin {
    const char *extension, *type;
} builtins[] = {
    { "aac",         "audio/aac" },
    { "apng",        "image/apng" },
    { "atom",        "application/atom+xml" },
    { "avif",        "image/avif" },
    { "bmp",         "image/bmp" },
    { "br",          "application/x-brotli" },
    { "bz2",         "application/x-bzip2" },
    { "css",         "text/css" },
    { "csv",         "text/csv" },
    { "eot",         "application/vnd.ms-fontobject" },
    { "flac",        "audio/flac" },
    { "gif",         "image/gif" },
    { "gz",          "application/gzip" },
    { "htm",         "text/html" },
    { "html",        "text/html" },
    { "ico",         "image/vnd.microsoft.icon" },
    { "jpeg",        "image/jpeg" },
    { "jpg",         "image/jpeg" },
    { "js",          "text/javascript" },
    { "json",        "application/json" },
    { "jsonld",      "application/ld+json" },
    { "m3u8",        "application/vnd.apple.mpegurl" },
    { "m4a",         "audio/mp4" },
    { "md",          "text/markdown" },
    { "mjs",         "text/javascript" },
    { "mp3",         "audio/mpeg" },
    { "mp4",         "video/mp4" },
    { "oga",         "audio/ogg" },
    { "ogg",         "audio/ogg" },
    { "ogv",         "video/ogg" },
    { "otf",         "font/otf" },
    { "pdf",         "application/pdf" },
    { "png",         "image/png" },
    { "rss",         "application/rss+xml" },
    { "svg",         "image/svg+xml" },
    { "tar",         "application/x-tar" },
    { "tif",         "image/tiff" },
    { "tiff",        "image/tiff" },
    { "ts",          "video/mp2t" },
    { "ttf",         "font/ttf" },
    { "txt",         "text/plain" },
    { "vtt",         "text/vtt" },
    { "wasm",        "application/wasm" },
    { "wav",         "audio/wav" },
    { "webm",        "video/webm" },
    { "webmanifest", "application/manifest+json" },
    { "webp",        "image/webp" },
    { "woff",        "font/woff" },
    { "woff2",       "font/woff2" },
    { "xhtml",       "application/xhtml+xml" },
    { "xml",         "application/xml" },
    { "xz",          "application/x-xz" },
    { "zip",         "application/zip" },
    { "zst",         "application/zstd" },
};
/* clang-format on */

static int compare(const void *extension, const void *entry)
{
    return strcmp(extension, ((const struct builtin *)entry)->extension);
}

static const char *find_builtin(const char *extension)
{
    const struct builtin *b =
        bsearch(extension, builtins, COUNT_OF(builtins), sizeof(builtins[0]), compare);

    return b ? b->type : NULL;
}

void http_mime_done(struct http_mime *m)
{
    hash_done(&m->by_extension);
    for (struct http_mime_entry *e = m->entries, *next = NULL; e; e = next) {
        next = e->next;
        free(e);
    }
    m->entries = NULL;
}

/* Copies an extension in lower case. False if it is none. */
static bool copy_extension(struct liege_str s, char out[EXTENSION_MAX + 1])
{
    if (s.len == 0 || s.len > EXTENSION_MAX)
        return false;
    for (size_t i = 0; i < s.len; i++)
        out[i] = (char)(s.data[i] >= 'A' && s.data[i] <= 'Z' ? s.data[i] | 0x20 : s.data[i]);
    out[s.len] = '\0';
    return true;
}

static int add(struct http_mime *m, struct liege_str extension, struct liege_str type, bool over)
{
    char name[EXTENSION_MAX + 1];

    if (!copy_extension(extension, name) || hash_get(&m->by_extension, name) ||
        (!over && find_builtin(name)))
        return 0;
    struct http_mime_entry *e = malloc(sizeof(*e) + type.len + 1);
    if (!e)
        return -ENOMEM;
    memcpy(e->extension, name, sizeof(name));
    memcpy(e->type, type.data, type.len);
    e->type[type.len] = '\0';
    e->next = m->entries;
    m->entries = e;
    return hash_put(&m->by_extension, e->extension, e);
}

/* Takes the next word off @line; an empty one at the end. */
static struct liege_str take_word(struct liege_str *line)
{
    size_t start = 0, end = 0;

    while (start < line->len && strchr(" \t\r\v\f", line->data[start]))
        start++;
    for (end = start; end < line->len && !strchr(" \t\r\v\f", line->data[end]);)
        end++;
    struct liege_str word = http_str(line->data + start, end - start);
    *line = http_str(line->data + end, line->len - end);
    return word;
}

/* "type/subtype", both tokens (RFC 9110 section 8.3.1). */
static bool is_type(struct liege_str s)
{
    const char *slash = s.len > 0 ? memchr(s.data, '/', s.len) : NULL;

    if (!slash || slash == s.data || slash == s.data + s.len - 1)
        return false;
    size_t len = (size_t)(slash - s.data);
    return http_all(s.data, len, HTTP_CLASS_TOKEN) &&
           http_all(slash + 1, s.len - len - 1, HTTP_CLASS_TOKEN);
}

static int add_line(struct http_mime *m, struct liege_str line, bool over)
{
    const char *comment = line.len > 0 ? memchr(line.data, '#', line.len) : NULL;

    if (comment)
        line.len = (size_t)(comment - line.data);
    struct liege_str type = take_word(&line);
    if (!is_type(type))
        return 0;
    for (;;) {
        struct liege_str extension = take_word(&line);
        if (extension.len == 0)
            return 0;
        int r = add(m, extension, type, over);
        if (r < 0)
            return r;
    }
}

int http_mime_add(struct http_mime *m, const char *text, size_t len, bool over)
{
    const char *end = text + len;
    int r = 0;

    while (r == 0 && text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline ? newline : end;
        r = add_line(m, http_str(text, (size_t)(stop - text)), over);
        text = newline ? newline + 1 : end;
    }
    return r;
}

const char *http_mime_type(const struct http_mime *m, const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name;
    const char *dot = strrchr(base, '.');
    char extension[EXTENSION_MAX + 1];

    if (!dot || dot == base || !copy_extension(http_str(dot + 1, strlen(dot + 1)), extension))
        return UNKNOWN;
    const struct http_mime_entry *e = hash_get(&m->by_extension, extension);
    const char *type = e ? e->type : find_builtin(extension);
    return type ? type : UNKNOWN;
}
