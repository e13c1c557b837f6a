/* SPDX-License-Identifier: MIT */
/* A format is a list of pieces: text as it stands, or a variable with its writer from the table
 * below. The names are uWSGI's; those of it that would cost a request system calls (rss, vsz) are
 * not there.
 *
 * JSON is written here and not by a library because a request must not allocate an object tree for
 * a line of text; what it reads like is in the tests, which a library parses. */
#include "worker/log-format.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define TEXT_MAX_BYTES ((size_t)64 * 1024) /* of one value that a client sent */

/* Writes the value; @arg: what stood behind the dot of %(var.NAME). */
typedef int write_fn(const struct access_entry *e, const char *arg, struct buf *out);

struct log_format_piece {
    write_fn *write; /* NULL: text */
    char *text;      /* or the argument */
};

int log_format_escape(struct liege_str text, size_t max, struct buf *out)
{
    static const char hex[] = "0123456789abcdef";
    int r = buf_reserve(out, MIN(4 * text.len, max + 4));
    size_t n = 0;

    for (size_t i = 0; i < text.len && n < max && r == 0; i++) {
        unsigned char c = (unsigned char)text.data[i];
        char *at = out->data + out->end + n;
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            *at = (char)c;
            n++;
            continue;
        }
        at[0] = '\\';
        at[1] = 'x';
        at[2] = hex[c >> 4];
        at[3] = hex[c & 0xf];
        n += 4;
    }
    out->end += r == 0 ? n : 0;
    return r;
}

static int put_text(struct buf *out, struct liege_str text)
{
    if (text.len == 0)
        return buf_append(out, "-", 1);
    return log_format_escape(text, TEXT_MAX_BYTES, out);
}

static struct liege_str field_of(const struct access_entry *e, enum liege_field_id id)
{
    for (size_t i = 0; i < e->req->n_fields; i++)
        if (e->req->fields[i].id == id)
            return e->req->fields[i].value;
    return (struct liege_str){.data = "", .len = 0};
}

static bool is_name(struct liege_str text, const char *name)
{
    return text.len == strlen(name) && strncasecmp(text.data, name, text.len) == 0;
}

static struct liege_str var_of(const struct access_entry *e, const char *name)
{
    struct liege_str found = {.data = "", .len = 0};

    for (size_t i = 0; i < e->req->n_vars; i++)
        if (is_name(e->req->vars[i].name, name))
            found = e->req->vars[i].value;
    return found;
}

/* The variables */

static int write_uri(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return put_text(out, e->req->target);
}

static int write_method(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return put_text(out, e->req->method);
}

static int write_proto(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return put_text(out, e->req->protocol);
}

static int write_addr(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return put_text(out, e->req->remote_addr);
}

static int write_user(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return put_text(out, var_of(e, "REMOTE_USER"));
}

static int write_host(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return put_text(out, field_of(e, LIEGE_FIELD_HOST));
}

static int write_uagent(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return put_text(out, field_of(e, LIEGE_FIELD_USER_AGENT));
}

static int write_referer(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return put_text(out, field_of(e, LIEGE_FIELD_REFERER));
}

/* A field ("HTTP_X_REQUEST_ID") or a variable of the web server in front. */
static int write_var(const struct access_entry *e, const char *arg, struct buf *out)
{
    char name[128];
    size_t len = 0;

    if (strncmp(arg, "HTTP_", 5) != 0)
        return put_text(out, var_of(e, arg));
    for (const char *c = arg + 5; *c && len < sizeof(name) - 1; c++)
        name[len++] = (char)(*c == '_' ? '-' : *c);
    name[len] = '\0';
    for (size_t i = 0; i < e->req->n_fields; i++)
        if (is_name(e->req->fields[i].name, name))
            return put_text(out, e->req->fields[i].value);
    return buf_append(out, "-", 1);
}

static int write_status(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return buf_printf(out, "%d", e->status);
}

static int write_rsize(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return buf_printf(out, "%" PRIu64, e->bytes);
}

static int write_hsize(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return buf_printf(out, "%" PRIu64, e->head_bytes);
}

static int write_size(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return buf_printf(out, "%" PRIu64, e->head_bytes + e->bytes);
}

static int write_cl(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return buf_printf(out, "%" PRIu64, e->req->body_length);
}

static int write_micros(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return buf_printf(out, "%" PRIu64, e->duration_us);
}

static int write_msecs(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return buf_printf(out, "%" PRIu64, (uint64_t)(e->duration_us / US_PER_MS));
}

static int write_secs(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return buf_printf(out, "%" PRIu64, (uint64_t)(e->duration_us / US_PER_SEC));
}

static int write_time(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return buf_printf(out, "%" PRIu64, (uint64_t)(e->began_us / US_PER_SEC));
}

static int write_tmsecs(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return buf_printf(out, "%" PRIu64, (uint64_t)(e->began_us / US_PER_MS));
}

static int write_tmicros(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return buf_printf(out, "%" PRIu64, e->began_us);
}

static struct tm local_time(const struct access_entry *e)
{
    time_t at = (time_t)(e->began_us / US_PER_SEC);
    struct tm tm = {0};

    (void)localtime_r(&at, &tm);
    return tm;
}

static int write_ctime(const struct access_entry *e, const char *arg, struct buf *out)
{
    const struct tm tm = local_time(e);
    char text[64];

    (void)arg;
    return buf_append(out, text, strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &tm));
}

static int write_ltime(const struct access_entry *e, const char *arg, struct buf *out)
{
    const struct tm tm = local_time(e);
    char text[64];

    (void)arg;
    return buf_append(out, text, strftime(text, sizeof(text), "%d/%b/%Y:%H:%M:%S %z", &tm));
}

static int write_pid(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)e;
    (void)arg;
    return buf_printf(out, "%d", (int)getpid());
}

static int write_wid(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return buf_printf(out, "%d", e->worker);
}

static int write_vassal(const struct access_entry *e, const char *arg, struct buf *out)
{
    (void)arg;
    return buf_printf(out, "%s", *e->name ? e->name : "-");
}

/* clang-format off */
static const struct variable {
    const char *name; /* with a dot at its end: takes an argument */
    write_fn *write;
} variables[] = {
    { "uri",     write_uri },     { "method",  write_method },  { "proto",   write_proto },
    { "addr",    write_addr },    { "user",    write_user },    { "host",    write_host },
    { "uagent",  write_uagent },  { "referer", write_referer }, { "var.",    write_var },
    { "status",  write_status },  { "rsize",   write_rsize },   { "hsize",   write_hsize },
    { "size",    write_size },    { "cl",      write_cl },      { "micros",  write_micros },
    { "msecs",   write_msecs },   { "secs",    write_secs },    { "time",    write_time },
    { "tmsecs",  write_tmsecs },  { "tmicros", write_tmicros }, { "ctime",   write_ctime },
    { "ltime",   write_ltime },   { "pid",     write_pid },     { "wid",     write_wid },
    { "vassal",  write_vassal },
};
/* clang-format on */

static const struct variable *find_variable(const char *name, size_t len, const char **ret_arg)
{
    for (size_t i = 0; i < COUNT_OF(variables); i++) {
        size_t n = strlen(variables[i].name);
        bool dotted = variables[i].name[n - 1] == '.';
        if (dotted ? len > n && strncmp(name, variables[i].name, n) == 0
                   : len == n && strncmp(name, variables[i].name, n) == 0) {
            *ret_arg = dotted ? name + n : NULL;
            return &variables[i];
        }
    }
    return NULL;
}

/* Reading a format */

static int add_piece(struct log_format *f, write_fn *write, const char *text, size_t len)
{
    struct log_format_piece *pieces = reallocarray(f->pieces, f->n_pieces + 1, sizeof(*f->pieces));

    if (!pieces)
        return -ENOMEM;
    f->pieces = pieces;
    char *copy = strndup(text, len);
    if (!copy)
        return -ENOMEM;
    f->pieces[f->n_pieces++] = (struct log_format_piece){.write = write, .text = copy};
    return 0;
}

static int parse(const char *text, struct log_format *f, struct errmsg *err)
{
    while (*text) {
        const char *at = strstr(text, "%("), *end = at ? strchr(at, ')') : NULL, *arg = NULL;
        size_t before = end ? (size_t)(at - text) : strlen(text);

        if (before > 0 && add_piece(f, NULL, text, before) < 0)
            return -ENOMEM;
        text += before;
        if (!end)
            continue;
        const struct variable *v = find_variable(at + 2, (size_t)(end - at - 2), &arg);
        if (!v)
            return errmsg_set(err, -EINVAL, "%.*s is no variable of a request: see docs/logging.md",
                              (int)MIN(end - at + 1, (ptrdiff_t)100), at);
        if (add_piece(f, v->write, arg ? arg : "", arg ? (size_t)(end - arg) : 0) < 0)
            return -ENOMEM;
        text = end + 1;
    }
    return 0;
}

int log_format_parse(const char *text, struct log_format *ret, struct errmsg *err)
{
    struct log_format f = {.pieces = NULL};
    int r = parse(text, &f, err);

    if (r == 0)
        *ret = f;
    else
        log_format_done(&f);
    return r == -ENOMEM ? errmsg_set(err, r, "out of memory") : r;
}

void log_format_done(struct log_format *f)
{
    for (size_t i = 0; i < f->n_pieces; i++)
        free(f->pieces[i].text);
    free(f->pieces);
    *f = (struct log_format){.pieces = NULL};
}

int log_format_write(const struct log_format *f, const struct access_entry *e, struct buf *out)
{
    int r = 0;

    for (size_t i = 0; i < f->n_pieces && r == 0; i++) {
        const struct log_format_piece *p = &f->pieces[i];
        r = p->write ? p->write(e, p->text, out) : buf_append(out, p->text, strlen(p->text));
    }
    return r;
}

/* JSON (RFC 8259) */

static int put_json(struct buf *out, const char *key, struct liege_str text)
{
    static const char hex[] = "0123456789abcdef";
    size_t len = MIN(text.len, TEXT_MAX_BYTES);
    int r = buf_printf(out, ",\"%s\":\"", key);

    if (r == 0)
        r = buf_reserve(out, 6 * len);
    for (size_t i = 0; i < len && r == 0; i++) {
        unsigned char c = (unsigned char)text.data[i];
        char *at = out->data + out->end;
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
            *at = (char)c;
            out->end++;
            continue;
        }
        at[0] = '\\';
        at[1] = 'u';
        at[2] = at[3] = '0';
        at[4] = hex[c >> 4];
        at[5] = hex[c & 0xf];
        out->end += 6;
    }
    return r < 0 ? r : buf_append(out, "\"", 1);
}

int log_format_json(const struct access_entry *e, struct buf *out)
{
    const struct liege_request *req = e->req;
    const struct {
        const char *key;
        struct liege_str value;
    } texts[] = {
        {"vassal", {.data = e->name, .len = strlen(e->name)}},
        {"addr", req->remote_addr},
        {"user", var_of(e, "REMOTE_USER")},
        {"method", req->method},
        {"uri", req->target},
        {"proto", req->protocol},
        {"host", field_of(e, LIEGE_FIELD_HOST)},
        {"referer", field_of(e, LIEGE_FIELD_REFERER)},
        {"uagent", field_of(e, LIEGE_FIELD_USER_AGENT)},
    };

    int r =
        buf_printf(out,
                   "{\"time\":%" PRIu64 ".%06u,\"wid\":%d,\"pid\":%d,\"status\":%d,"
                   "\"rsize\":%" PRIu64 ",\"cl\":%" PRIu64 ",\"micros\":%" PRIu64,
                   (uint64_t)(e->began_us / US_PER_SEC), (unsigned)(e->began_us % US_PER_SEC),
                   e->worker, (int)getpid(), e->status, e->bytes, req->body_length, e->duration_us);
    for (size_t i = 0; i < COUNT_OF(texts) && r == 0; i++)
        r = put_json(out, texts[i].key, texts[i].value);
    return r < 0 ? r : buf_append(out, "}", 1);
}
