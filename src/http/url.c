/* SPDX-License-Identifier: MIT */
/* Request targets and hosts. What is read here decides which application runs and what it sees as
 * its path, so that everything two programs could read in two ways is refused: a fragment, raw
 * 8-bit bytes, half an escape, a NUL. Dot segments and double slashes are the application's
 * business. Pure functions; the proto folder calls them. */
#include "http/url.h"

#include <errno.h>
#include <string.h>

#include "http/text.h"

#define MAX_PORT_DIGITS 5

static int refuse(const char **ret_reason, const char *reason)
{
    *ret_reason = reason;
    return -EINVAL;
}

/* What is after "http://" or "https://", or NULL. */
static const char *skip_scheme(struct liege_str target)
{
    static const char *const schemes[] = {"http://", "https://"};

    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        size_t len = strlen(schemes[i]);
        if (target.len >= len && http_equal(http_str(target.data, len), schemes[i]))
            return target.data + len;
    }
    return NULL;
}

/* Finds the authority of a target in absolute form. Returns where path and query begin. */
static int split_authority(struct liege_str target, struct http_target *ret, size_t *ret_path,
                           const char **ret_reason)
{
    const char *start = skip_scheme(target);
    if (!start)
        return refuse(ret_reason, "the request target is neither a path nor an http URL");

    size_t rest = target.len - (size_t)(start - target.data), len = 0;
    while (len < rest && start[len] != '/' && start[len] != '?')
        len++;
    ret->authority = http_str(start, len);
    if (len == 0 || !http_host_is_valid(ret->authority))
        return refuse(ret_reason, "the host in the request target is not valid");
    *ret_path = target.len - rest + len;
    return 0;
}

static int check_escapes(struct liege_str path, const char **ret_reason)
{
    const char *end = path.data + path.len, *p = path.data;

    while ((p = memchr(p, '%', (size_t)(end - p)))) {
        if (end - p < 3 || !http_is(p[1], HTTP_CLASS_HEX) || !http_is(p[2], HTTP_CLASS_HEX))
            return refuse(ret_reason, "malformed %-escape in the path");
        if (p[1] == '0' && p[2] == '0')
            return refuse(ret_reason, "%00 in the path");
        p += 3;
    }
    return 0;
}

static void split_query(struct liege_str rest, struct http_target *ret)
{
    const char *mark = memchr(rest.data, '?', rest.len);

    ret->path = rest;
    if (mark) {
        ret->path.len = (size_t)(mark - rest.data);
        ret->query = http_str(mark + 1, rest.len - ret->path.len - 1);
    }
    ret->escaped = memchr(ret->path.data, '%', ret->path.len) != NULL;
}

int http_target_parse(struct liege_str target, bool options, struct http_target *ret,
                      const char **ret_reason)
{
    struct http_target t = {.query = http_str("", 0), .authority = http_str("", 0)};
    size_t path = 0;

    if (target.len == 0 || !http_all(target.data, target.len, HTTP_CLASS_TARGET))
        return refuse(ret_reason, "the request target has a byte that must be escaped");
    if (target.len == 1 && *target.data == '*') {
        if (!options)
            return refuse(ret_reason, "the request target * is for OPTIONS only");
        t.path = target;
        *ret = t;
        return 0;
    }
    if (*target.data != '/') {
        int r = split_authority(target, &t, &path, ret_reason);
        if (r < 0)
            return r;
    }
    split_query(http_str(target.data + path, target.len - path), &t);
    if (t.escaped) {
        int r = check_escapes(t.path, ret_reason);
        if (r < 0)
            return r;
    }
    *ret = t;
    return 0;
}

size_t http_path_decode(struct liege_str path, char *out)
{
    size_t n = 0;

    for (size_t i = 0; i < path.len; i++) {
        char c = path.data[i];
        if (c == '%') {
            c = (char)(http_hex_value(path.data[i + 1]) << 4 | http_hex_value(path.data[i + 2]));
            i += 2;
        }
        out[n++] = c;
    }
    return n;
}

static bool is_port(const char *text, size_t len)
{
    return len <= MAX_PORT_DIGITS && http_all(text, len, HTTP_CLASS_DIGIT);
}

/* The length of an address in brackets at the start of @host, or 0 if it is malformed. */
static size_t bracket_len(struct liege_str host)
{
    const char *end = memchr(host.data, ']', host.len);

    if (!end || end - host.data < 3)
        return 0;
    for (const char *p = host.data + 1; p < end; p++)
        if (!http_is(*p, HTTP_CLASS_HEX) && *p != ':' && *p != '.')
            return 0;
    return (size_t)(end + 1 - host.data);
}

static size_t name_len(struct liege_str host)
{
    size_t n = 0;

    if (host.len > 0 && *host.data == '[')
        return bracket_len(host);
    while (n < host.len && http_is(host.data[n], HTTP_CLASS_HOST))
        n++;
    return n;
}

bool http_host_is_valid(struct liege_str host)
{
    size_t n = name_len(host);

    if (n == host.len)
        return true;
    return n > 0 && host.data[n] == ':' && is_port(host.data + n + 1, host.len - n - 1);
}

void http_host_split(struct liege_str host, struct liege_str *ret_name, struct liege_str *ret_port)
{
    size_t n = name_len(host);

    *ret_name = http_str(host.data, n);
    *ret_port = n < host.len ? http_str(host.data + n + 1, host.len - n - 1) : http_str("", 0);
}
