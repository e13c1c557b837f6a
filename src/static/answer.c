/* SPDX-License-Identifier: MIT */
/* The answer for a file that was found: which representation (the file, or a compressed one beside
 * it), what the request's conditions say of it, which part of it, and the fields. The bytes of a
 * file go out by sendfile(2) from the loop. Read here are only those of a small file, and several
 * parts in one answer, up to PARTS_MAX_BYTES; beyond that the whole file is sent, which a server
 * may do. */
#include "static/answer.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/strv.h"
#include "http/coding.h"
#include "http/conditional.h"
#include "http/date.h"
#include "http/field.h"
#include "http/range.h"
#include "http/status.h"
#include "http/text.h"
#include "static/pattern.h"
#include "static/site.h"

#define SMALL_BYTES     ((size_t)16 * 1024)
#define PARTS_MAX_BYTES ((size_t)1024 * 1024)
#define FIELDS_MAX      12

/* Compressed files, the better first. */
static const struct coding {
    const char *name, *suffix;
} codings[] = {
    {"br", ".br"},
    {"gzip", ".gz"},
};

/* What is sent: a file with all that its fields are made of. */
struct representation {
    struct static_file file; /* borrowed, or the compressed one */
    const char *coding;      /* or NULL */
    bool varies;             /* another client may get another one */
    const char *type;        /* media type of what is in it */
    char path[PATH_MAX];     /* in the file system, without the suffix of the coding */
    char etag[64];
    struct http_validators validators;
};

/* A head, and room for the values that are made. */
struct head {
    struct liege_field fields[FIELDS_MAX];
    size_t n_fields;
    struct http_date last_modified, expires;
    char cache_control[40], content_range[80], content_length[24];
};

static struct liege_str str_of(const char *text)
{
    return http_str(text, strlen(text));
}

static void add_field(struct head *h, const char *name, const char *value)
{
    h->fields[h->n_fields++] = (struct liege_field){.name = str_of(name), .value = str_of(value)};
}

bool static_reads(const struct liege_request *req)
{
    const struct liege_str m = req->method;

    return (m.len == 3 && memcmp(m.data, "GET", 3) == 0) ||
           (m.len == 4 && memcmp(m.data, "HEAD", 4) == 0);
}

static bool is_head(const struct static_answer *a)
{
    return a->req->method.len == 4; /* of GET and HEAD */
}

/* Begins the answer. False if that was its end. */
static bool start(const struct static_answer *a, int status, const struct head *h)
{
    const struct liege_head head = {.status = status, .fields = h->fields, .n_fields = h->n_fields};

    if (a->respond->start(a->req, &head) == 0)
        return true;
    a->respond->fail(a->req);
    return false;
}

static void end(const struct static_answer *a, const void *data, size_t len)
{
    (void)a->respond->end(a->req, data, len); /* who gave us the request sees what became of it */
}

/* An answer that is a line of text. */
static void answer_text(const struct static_answer *a, int status, struct head *h)
{
    char text[64];
    int len = snprintf(text, sizeof(text), "%s\n", http_status_reason(status));

    add_field(h, "Content-Type", "text/plain");
    if (start(a, status, h))
        end(a, text, (size_t)len);
}

void static_answer_not_allowed(const struct static_answer *a)
{
    struct head h = {.n_fields = 0};

    add_field(&h, "Allow", "GET, HEAD");
    answer_text(a, 405, &h);
}

/* Redirecting */

static bool needs_no_escape(char c)
{
    return http_is(c, HTTP_CLASS_HOST) || (c != '\0' && strchr("/!$&'()*+,;=:@", c));
}

/* Appends a path as a URL writes it. Several slashes at its front become one, since "//host/" would
 * be another server (RFC 3986 section 4.2). */
static int append_path(struct buf *out, struct liege_str path)
{
    int r = 0;

    while (path.len > 1 && path.data[0] == '/' && path.data[1] == '/')
        path = http_str(path.data + 1, path.len - 1);
    for (size_t i = 0; r == 0 && i < path.len; i++)
        r = needs_no_escape(path.data[i])
                ? buf_append(out, path.data + i, 1)
                : buf_printf(out, "%%%02X", (unsigned)(unsigned char)path.data[i]);
    return r;
}

void static_answer_redirect(const struct static_answer *a)
{
    _cleanup_(buf_done) struct buf location = {0};
    const struct liege_str query = a->req->query;
    struct liege_str script = a->req->script_name;
    struct head h = {.n_fields = 0};

    while (script.len > 0 && script.data[script.len - 1] == '/')
        script.len--;
    int r = append_path(&location, script);
    if (r == 0)
        r = append_path(&location, a->req->path);
    if (r == 0)
        r = buf_printf(&location, "/%s%.*s", query.len > 0 ? "?" : "", (int)query.len,
                       query.len > 0 ? query.data : "");
    if (r < 0) {
        a->respond->fail(a->req);
        return;
    }
    add_field(&h, "Location", "");
    h.fields[0].value = http_str(buf_at(&location), buf_len(&location));
    answer_text(a, 301, &h);
}

/* Choosing the representation */

static bool may_be_compressed(const struct static_site *site, const char *path)
{
    const struct static_conf *conf = site->conf;

    if (conf->gzip_all)
        return true;
    for (size_t i = 0; i < conf->gzip_dirs.n_items; i++)
        if (str_starts(path, conf->gzip_dirs.items[i]))
            return true;
    for (size_t i = 0; i < conf->gzip_exts.n_items; i++)
        if (str_ends(path, conf->gzip_exts.items[i]))
            return true;
    for (size_t i = 0; i < site->n_gzip; i++)
        if (static_pattern_matches(site->gzip[i], str_of(path)))
            return true;
    return false;
}

static bool open_coding(const struct static_answer *a, const struct coding *coding,
                        struct static_file *ret)
{
    const struct static_site *site = a->site;
    struct static_file file;

    if (static_root_open(&a->place->root, a->name, coding->suffix, site->safe, site->n_safe,
                         &file) < 0)
        return false;
    if (!S_ISREG(file.st.st_mode)) {
        closep(&file.fd);
        return false;
    }
    *ret = file;
    return true;
}

/* Takes the compressed file that the client likes best, if it likes one as well as the plain one
 * and it is there. */
static void choose_coding(const struct static_answer *a, struct representation *r)
{
    struct liege_str accept =
        http_field_get(a->req->fields, a->req->n_fields, LIEGE_FIELD_ACCEPT_ENCODING);
    unsigned plain = http_coding_quality(accept, "identity");
    unsigned quality[COUNT_OF(codings)];

    for (size_t i = 0; i < COUNT_OF(codings); i++)
        quality[i] = http_coding_quality(accept, codings[i].name);
    for (size_t tries = 0; tries < COUNT_OF(codings) && !r->coding; tries++) {
        size_t best = 0;
        for (size_t i = 1; i < COUNT_OF(codings); i++)
            if (quality[i] > quality[best])
                best = i;
        if (quality[best] == 0 || quality[best] < plain)
            return;
        quality[best] = 0;
        if (open_coding(a, &codings[best], &r->file))
            r->coding = codings[best].name;
    }
}

/* All that is known of the file before it is looked at who asks for it. */
static void describe(const struct static_answer *a, const struct static_file *file,
                     struct representation *r)
{
    const char *real = a->place->root.real;

    r->file = *file;
    r->coding = NULL;
    (void)snprintf(r->path, sizeof(r->path), "%s%s%s", real,
                   *a->name != '\0' && !str_ends(real, "/") ? "/" : "", a->name);
    r->type = http_mime_type(&a->site->mime, r->path);
    r->varies = may_be_compressed(a->site, r->path);
    if (r->varies)
        choose_coding(a, r);

    const struct stat *st = &r->file.st;
    time_t now = time(NULL);
    (void)snprintf(r->etag, sizeof(r->etag), "\"%llx.%lx-%llx-%llx\"",
                   (unsigned long long)st->st_mtim.tv_sec, (unsigned long)st->st_mtim.tv_nsec,
                   (unsigned long long)st->st_size, (unsigned long long)st->st_ino);
    /* Never later than Date: RFC 9110 section 8.8.2.1. */
    r->validators = (struct http_validators){
        .etag = str_of(r->etag), .last_modified = MIN(st->st_mtim.tv_sec, now), .now = now};
}

/* Fields */

static void add_expires(const struct static_answer *a, const struct representation *r,
                        struct head *h)
{
    const struct static_subject subject = {
        .file = str_of(r->path),
        .path_info = a->req->path,
        .uri = a->req->target,
        .type = str_of(r->type),
        .mtime = r->validators.last_modified,
        .now = r->validators.now,
    };
    time_t at = 0;

    if (!static_expires_find(&a->site->expires, &subject, &at))
        return;
    long long seconds = at > subject.now ? at - subject.now : 0;
    (void)snprintf(h->cache_control, sizeof(h->cache_control), "max-age=%lld", seconds);
    add_field(h, "Cache-Control", h->cache_control);
    add_field(h, "Expires", http_date_at(&h->expires, at));
}

/* The fields that 200, 206, 304 and 416 have in common (RFC 9110 section 15.4.5). */
static void add_validators(const struct static_answer *a, const struct representation *r,
                           struct head *h)
{
    add_field(h, "ETag", r->etag);
    add_field(h, "Last-Modified", http_date_at(&h->last_modified, r->validators.last_modified));
    if (r->varies)
        add_field(h, "Vary", "Accept-Encoding");
    add_expires(a, r, h);
}

static void add_representation(const struct static_answer *a, const struct representation *r,
                               const char *type, struct head *h)
{
    add_field(h, "Content-Type", type);
    if (r->coding)
        add_field(h, "Content-Encoding", r->coding);
    add_field(h, "Accept-Ranges", "bytes");
    add_validators(a, r, h);
}

static void format_range(char *out, size_t size, const struct http_range *part, uint64_t whole)
{
    (void)snprintf(out, size, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, part->first,
                   part->first + part->len - 1, whole);
}

/* Sending */

/* Reads a part of the file. */
static int read_part(int fd, const struct http_range *part, char *out)
{
    for (uint64_t at = part->first, left = part->len; left > 0;) {
        ssize_t n = pread(fd, out, (size_t)left, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO; /* it became shorter */
        out += n;
        at += (uint64_t)n;
        left -= (uint64_t)n;
    }
    return 0;
}

/* A small piece leaves with its head in one system call. */
static void send_small(const struct static_answer *a, int fd, const struct http_range *piece)
{
    char data[SMALL_BYTES];

    if (read_part(fd, piece, data) < 0)
        a->respond->fail(a->req);
    else
        end(a, data, (size_t)piece->len);
}

/* Sends one piece of the file: all of it, or a part with status 206. */
static void send_piece(const struct static_answer *a, const struct representation *r, int status,
                       const struct http_range *piece)
{
    struct head h = {.n_fields = 0};

    add_representation(a, r, r->type, &h);
    if (status == 206) {
        format_range(h.content_range, sizeof(h.content_range), piece, (uint64_t)r->file.st.st_size);
        add_field(&h, "Content-Range", h.content_range);
    }
    (void)snprintf(h.content_length, sizeof(h.content_length), "%" PRIu64, piece->len);
    add_field(&h, "Content-Length", h.content_length);
    if (!start(a, status, &h))
        return;
    if (!is_head(a) && piece->len <= SMALL_BYTES)
        send_small(a, r->file.fd, piece);
    else if (!is_head(a) && a->respond->file(a->req, r->file.fd, piece->first, piece->len) < 0)
        a->respond->fail(a->req);
    else
        end(a, NULL, 0);
}

static int append_part(struct buf *out, int fd, const struct http_range *part)
{
    int r = buf_reserve(out, (size_t)part->len);

    if (r == 0)
        r = read_part(fd, part, out->data + out->end);
    if (r == 0)
        out->end += (size_t)part->len;
    return r;
}

/* Writes the body of a multipart/byteranges (RFC 9110 section 14.6). */
static int make_parts(const struct representation *r, const struct http_ranges *ranges,
                      const char *boundary, struct buf *out)
{
    char range[80];

    for (size_t i = 0; i < ranges->n_items; i++) {
        const struct http_range *part = &ranges->items[i];
        format_range(range, sizeof(range), part, (uint64_t)r->file.st.st_size);
        int e = buf_printf(out, "\r\n--%s\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n",
                           boundary, r->type, range);
        if (e == 0)
            e = append_part(out, r->file.fd, part);
        if (e < 0)
            return e;
    }
    return buf_printf(out, "\r\n--%s--\r\n", boundary);
}

static void send_parts(const struct static_answer *a, const struct representation *r,
                       const struct http_ranges *ranges)
{
    _cleanup_(buf_done) struct buf body = {0};
    struct head h = {.n_fields = 0};
    uint64_t random[2] = {0};
    char boundary[40], type[80];

    /* Nobody can have written it into the file beforehand. */
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random)) {
        a->respond->fail(a->req);
        return;
    }
    (void)snprintf(boundary, sizeof(boundary), "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
    (void)snprintf(type, sizeof(type), "multipart/byteranges; boundary=%s", boundary);
    if (make_parts(r, ranges, boundary, &body) < 0) {
        a->respond->fail(a->req);
        return;
    }
    add_representation(a, r, type, &h);
    if (start(a, 206, &h))
        end(a, buf_at(&body), buf_len(&body));
}

static void refuse_range(const struct static_answer *a, const struct representation *r)
{
    struct head h = {.n_fields = 0};

    (void)snprintf(h.content_range, sizeof(h.content_range), "bytes */%" PRIu64,
                   (uint64_t)r->file.st.st_size);
    add_field(&h, "Content-Range", h.content_range);
    add_field(&h, "Accept-Ranges", "bytes");
    if (r->varies)
        add_field(&h, "Vary", "Accept-Encoding");
    answer_text(a, 416, &h);
}

static enum http_range_result find_ranges(const struct static_answer *a,
                                          const struct representation *r, struct http_ranges *ret)
{
    const struct liege_request *req = a->req;
    struct liege_str range = http_field_get(req->fields, req->n_fields, LIEGE_FIELD_RANGE);

    if (!range.data || is_head(a) || /* it is defined for GET alone: RFC 9110 section 14.2 */
        !http_condition_if_range(req->fields, req->n_fields, &r->validators))
        return HTTP_RANGE_IGNORE;
    return http_range_parse(range, (uint64_t)r->file.st.st_size, ret);
}

static void send_file(const struct static_answer *a, const struct representation *r)
{
    const struct http_range whole = {.len = (uint64_t)r->file.st.st_size};
    struct http_ranges ranges;
    enum http_range_result found = find_ranges(a, r, &ranges);

    if (found == HTTP_RANGE_UNSATISFIABLE)
        refuse_range(a, r);
    else if (found == HTTP_RANGE_PARTS && ranges.n_items == 1)
        send_piece(a, r, 206, &ranges.items[0]);
    else if (found == HTTP_RANGE_PARTS && ranges.total <= PARTS_MAX_BYTES)
        send_parts(a, r, &ranges);
    else
        send_piece(a, r, 200, &whole);
}

static void send_not_modified(const struct static_answer *a, const struct representation *r)
{
    struct head h = {.n_fields = 0};

    add_validators(a, r, &h);
    if (start(a, 304, &h))
        end(a, NULL, 0);
}

void static_answer_file(const struct static_answer *a, const struct static_file *file)
{
    const struct liege_request *req = a->req;
    struct head h = {.n_fields = 0};
    struct representation r;

    describe(a, file, &r);
    switch (http_condition_evaluate(req->fields, req->n_fields, &r.validators)) {
    case HTTP_CONDITION_NOT_MODIFIED:
        send_not_modified(a, &r);
        break;
    case HTTP_CONDITION_FAILED:
        answer_text(a, 412, &h);
        break;
    case HTTP_CONDITION_GO_ON:
        send_file(a, &r);
        break;
    }
    if (r.coding)
        closep(&r.file.fd);
}
