/* SPDX-License-Identifier: MIT */
/* Judges a complete head and draws the facts from it. llhttp has accepted the bytes; what it lets
 * pass although two programs could read it differently (folded lines, a lone LF at the end, several
 * spaces, coding lists), and what is beyond syntax (Host, framing, limits), is refused here.
 * The head's lines are checked by counting: CR and LF occur as often as there are lines, each line
 * ends in CRLF, so there is none elsewhere. */
#include <string.h>

#include "http/field.h"
#include "http/text.h"
#include "http/url.h"
#include "proto/h1-internal.h"

#define VERSION_LINE_LEN 11 /* " HTTP/1.1" CR LF */

/* The fields that decide, as the walk over the lines finds them. */
struct noted {
    const struct h1_field *host, *length, *coding, *expect;
    bool content_type, close, keep_alive, upgrade, upgrade_option;
};

static bool refuse(struct h1 *h, int status, const char *reason)
{
    (void)h1_refuse(h, status, reason);
    return false;
}

static struct liege_str value_of(const struct h1_field *f, const char *base)
{
    return http_str(base + f->value, f->value_len);
}

static bool check_bytes(struct h1 *h, const char *base)
{
    struct http_controls n;
    size_t n_lines = (size_t)h->n_fields + 2;

    http_count_controls(base + h->start, h->facts.head_len - h->start, &n);
    if (n.n_other > 0)
        return refuse(h, 400, "control character in the head");
    if (n.n_cr != n_lines || n.n_lf != n_lines)
        return refuse(h, 400, "bare CR, bare LF or folded line in the head");
    return true;
}

static bool check_version(struct h1 *h, const char *version, size_t len)
{
    if (len < VERSION_LINE_LEN || memcmp(version, " HTTP/", 6) != 0)
        return refuse(h, 400, "the request line does not end in an HTTP version");
    if (version[6] != '1' || (version[8] != '0' && version[8] != '1'))
        return refuse(h, 505, "HTTP version other than 1.0 and 1.1");
    h->facts.minor = (unsigned)(version[8] - '0');
    return true;
}

/* Where @s stands, 0 if it is empty: then it need not be part of the bytes. */
static uint32_t offset_of(const char *base, struct liege_str s, uint32_t *ret_len)
{
    *ret_len = (uint32_t)s.len;
    return s.len > 0 ? (uint32_t)(s.data - base) : 0;
}

static bool check_target(struct h1 *h, const char *base)
{
    struct liege_str text = http_str(base + h->target, h->target_end - h->target);
    struct http_target target = {0};
    const char *reason = NULL;

    if (text.len > h->limits->max_target_bytes)
        return refuse(h, 414, "the request target is over the limit (limit-request-line)");
    if (http_target_parse(text, h->parser.method == HTTP_OPTIONS, &target, &reason) < 0)
        return refuse(h, 400, reason);
    h->escaped = target.escaped;
    h->path = offset_of(base, target.path, &h->path_len);
    h->query = offset_of(base, target.query, &h->query_len);
    h->host = offset_of(base, target.authority, &h->host_len);
    return true;
}

static bool check_request_line(struct h1 *h, const char *base)
{
    const char *method = llhttp_method_name((llhttp_method_t)h->parser.method);

    /* llhttp allows several spaces */
    if (h->start + strlen(method) + 1 != h->target)
        return refuse(h, 400, "more than one space after the method");
    if (!check_version(h, base + h->target_end, h->facts.head_len - h->target_end))
        return false;
    if (h->parser.method == HTTP_CONNECT)
        return refuse(h, 501, "CONNECT: this is no proxy");
    h->facts.is_head = h->parser.method == HTTP_HEAD;
    return check_target(h, base);
}

static bool note_once(struct h1 *h, const struct h1_field **slot, const struct h1_field *f,
                      const char *reason)
{
    if (*slot)
        return refuse(h, 400, reason);
    *slot = f;
    return true;
}

static bool note_field(struct h1 *h, struct noted *n, const struct h1_field *f, const char *base)
{
    switch (f->id) {
    case LIEGE_FIELD_HOST:
        return note_once(h, &n->host, f, "more than one Host field");
    case LIEGE_FIELD_CONTENT_LENGTH:
        return note_once(h, &n->length, f, "more than one Content-Length field");
    case LIEGE_FIELD_TRANSFER_ENCODING:
        return note_once(h, &n->coding, f, "more than one Transfer-Encoding field");
    case LIEGE_FIELD_EXPECT:
        return note_once(h, &n->expect, f, "more than one Expect field");
    case LIEGE_FIELD_CONTENT_TYPE:
        if (n->content_type)
            return refuse(h, 400, "more than one Content-Type field");
        n->content_type = true;
        return true;
    case LIEGE_FIELD_CONNECTION:
        n->close |= http_list_has(value_of(f, base), "close");
        n->keep_alive |= http_list_has(value_of(f, base), "keep-alive");
        n->upgrade_option |= http_list_has(value_of(f, base), "upgrade");
        return true;
    case LIEGE_FIELD_UPGRADE:
        n->upgrade = true;
        return true;
    default:
        return true;
    }
}

/* Checks the line from @f->name to @end and finds the value in it. */
static bool check_line(struct h1 *h, struct h1_field *f, const char *base, uint32_t end)
{
    uint32_t colon = f->name + f->name_len;

    if (f->name_len == 0)
        return refuse(h, 400, "a field without a name");
    if (end < colon + 3 || base[colon] != ':' || base[end - 2] != '\r' || base[end - 1] != '\n')
        return refuse(h, 400, "malformed field line");
    if (end - f->name > h->limits->max_field_bytes)
        return refuse(h, 431, "a field is over the limit (limit-request-field-size)");

    struct liege_str value = http_trim(http_str(base + colon + 1, end - 2 - (colon + 1)));
    f->value = offset_of(base, value, &f->value_len);
    f->id = (uint32_t)http_field_id(base + f->name, f->name_len) & 0xff;
    return true;
}

static bool check_fields(struct h1 *h, struct noted *n, const char *base)
{
    struct h1_field *fields = h1_fields(h);
    uint32_t line = h->target_end + VERSION_LINE_LEN;

    if (h->n_fields > h->limits->max_fields)
        return refuse(h, 431, "more fields than the limit allows (limit-request-fields)");
    for (size_t i = 0; i < h->n_fields; i++) {
        struct h1_field *f = &fields[i];
        uint32_t end = i + 1 < h->n_fields ? f[1].name : (uint32_t)h->facts.head_len - 2;

        if (f->name != line)
            return refuse(h, 400, "malformed field line");
        if (!check_line(h, f, base, end) || !note_field(h, n, f, base))
            return false;
        line = end;
    }
    return true;
}

static bool check_host(struct h1 *h, const struct noted *n, const char *base)
{
    if (!n->host)
        return h->facts.minor == 0 || refuse(h, 400, "HTTP/1.1 without a Host field");

    struct liege_str host = value_of(n->host, base);
    if (!http_host_is_valid(host))
        return refuse(h, 400, "the Host field is not a host name or address");
    if (h->host_len > 0 && !http_equal_nocase(host, http_str(base + h->host, h->host_len)))
        return refuse(h, 400, "Host field and request target name different hosts");
    h->host_len = 0; /* the field says it */
    return true;
}

static bool is_known_coding(struct liege_str name)
{
    static const char *const codings[] = {"gzip", "x-gzip", "deflate", "compress", "x-compress"};

    for (size_t i = 0; i < COUNT_OF(codings); i++)
        if (http_equal(name, codings[i]))
            return true;
    return false;
}

/* "gzip, chunked": can be understood, but nothing here decodes it. */
static bool is_coding_list(struct liege_str value)
{
    struct liege_str item = {0};

    if (!http_list_next(&value, &item) || !is_known_coding(item))
        return false;
    while (http_list_next(&value, &item))
        if (!is_known_coding(item))
            return http_equal(item, "chunked") && value.len == 0;
    return false;
}

static bool check_coding(struct h1 *h, const struct noted *n, const char *base)
{
    struct liege_str value = value_of(n->coding, base);

    if (n->length)
        return refuse(h, 400, "both Transfer-Encoding and Content-Length");
    if (h->facts.minor == 0)
        return refuse(h, 400, "Transfer-Encoding in an HTTP/1.0 request");
    if (!http_equal(value, "chunked")) {
        if (is_coding_list(value))
            return refuse(h, 501, "a transfer coding other than chunked");
        return refuse(h, 400, "Transfer-Encoding is not \"chunked\"");
    }
    if (!(h->parser.flags & F_CHUNKED))
        return refuse(h, 400, "malformed Transfer-Encoding");
    h->facts.has_body = h->facts.length_unknown = true;
    return true;
}

static bool check_framing(struct h1 *h, const struct noted *n, const char *base)
{
    uint64_t max = h->limits->max_body_bytes;

    if (n->coding)
        return check_coding(h, n, base);
    if (!n->length)
        return true;
    if (http_length_parse(value_of(n->length, base), &h->facts.content_length) < 0)
        return refuse(h, 400, "Content-Length is not a number of bytes");
    h->facts.has_body = true;
    if (max > 0 && h->facts.content_length > max)
        return refuse(h, 413, "the request body is over the limit (limit-post)");
    return true;
}

static bool check_connection(struct h1 *h, const struct noted *n, const char *base)
{
    h->facts.keep_alive = !n->close && (h->facts.minor >= 1 || n->keep_alive);
    h->facts.upgrade = h->facts.minor >= 1 && n->upgrade && n->upgrade_option;
    if (!n->expect || h->facts.minor == 0)
        return true;
    if (!http_equal(value_of(n->expect, base), "100-continue"))
        return refuse(h, 417, "Expect is not \"100-continue\"");
    h->facts.expect_continue = h->facts.length_unknown || h->facts.content_length > 0;
    return true;
}

enum proto_state h1_check_head(struct h1 *h, const char *base)
{
    struct noted n = {0};

    if (!check_bytes(h, base) || !check_request_line(h, base) || !check_fields(h, &n, base) ||
        !check_host(h, &n, base) || !check_framing(h, &n, base) || !check_connection(h, &n, base))
        return PROTO_REFUSED;
    return h1_start_body(h);
}
