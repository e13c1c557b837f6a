/* SPDX-License-Identifier: MIT */
/* Makes a struct liege_request of variables that were accepted. It can fail no more. Values point
 * into the bytes; the arena has the tables, the names of fields ("accept-language" for
 * HTTP_ACCEPT_LANGUAGE) and what had to be derived: a path from the target, or a target from the
 * path, where the web server gave only one of them. */
#include <string.h>

#include "base/arena.h"
#include "http/field.h"
#include "http/text.h"
#include "http/url.h"
#include "proto/cgi.h"

static const struct liege_str empty = {"", 0};

static bool begins_with(struct liege_str path, struct liege_str prefix)
{
    return path.len >= prefix.len && memcmp(path.data, prefix.data, prefix.len) == 0 &&
           (path.len == prefix.len || path.data[prefix.len] == '/');
}

/* The path of the target, decoded. */
static struct liege_str target_path(struct cgi *c, const char *base)
{
    struct liege_str raw = http_str(base + c->path, c->path_len);

    if (raw.len == 0)
        return http_str("/", 1);
    if (!c->escaped)
        return raw;
    char *path = arena_alloc(c->arena, raw.len);
    return http_str(path, http_path_decode(raw, path));
}

/* A path without PATH_INFO is what SCRIPT_NAME leaves of the target. If it leaves nothing the web
 * server has not split the path at all: nginx's fastcgi_params calls all of it SCRIPT_NAME. */
static void fill_path(struct cgi *c, const char *base, struct liege_request *req)
{
    struct liege_str script = cgi_value(c, CGI_SCRIPT_NAME, base);
    struct liege_str path = cgi_value(c, CGI_PATH_INFO, base);

    if (!c->has[CGI_PATH_INFO] && !c->has[CGI_REQUEST_URI]) {
        path = script;
        script = empty;
    } else if (!c->has[CGI_PATH_INFO]) {
        path = target_path(c, base);
        if (path.len == script.len && begins_with(path, script)) {
            script = empty;
        } else if (begins_with(path, script)) {
            path.data += script.len;
            path.len -= script.len;
        }
    }
    if (script.len > 0 && script.data[script.len - 1] == '/')
        script.len--; /* "/" is no prefix: the path has its own slash */
    if (script.len == 0 && path.len == 0)
        path = http_str("/", 1);
    req->script_name = script;
    req->path = path;
}

static char *put_escaped(char *out, struct liege_str s)
{
    static const char hex[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.data[i];
        if (http_is((char)c, HTTP_CLASS_TARGET) && c != '%' && c != '?') {
            *out++ = (char)c;
            continue;
        }
        *out++ = '%';
        *out++ = hex[c >> 4];
        *out++ = hex[c & 0xf];
    }
    return out;
}

/* A target that leads to the paths and query of @req. */
static struct liege_str make_target(struct cgi *c, const struct liege_request *req)
{
    size_t max = 3 * (req->script_name.len + req->path.len) + 1 + req->query.len;
    char *target = arena_alloc(c->arena, max), *end = target;

    end = put_escaped(end, req->script_name);
    end = put_escaped(end, req->path);
    if (req->query.len > 0) {
        *end++ = '?';
        end = mempcpy(end, req->query.data, req->query.len);
    }
    return http_str(target, (size_t)(end - target));
}

/* HTTPS is what an operator sets by hand when the web server does not see the TLS itself. */
static struct liege_str scheme_of(const struct cgi *c, const char *base)
{
    struct liege_str scheme = cgi_value(c, CGI_UWSGI_SCHEME, base);
    struct liege_str https = cgi_value(c, CGI_HTTPS, base);
    bool secure = http_equal(https, "on") || http_equal(https, "1");

    if (scheme.len == 0 && !secure)
        scheme = cgi_value(c, CGI_REQUEST_SCHEME, base);
    if (scheme.len > 0)
        secure = http_equal(scheme, "https");
    return secure ? http_str("https", 5) : http_str("http", 4);
}

static void fill_server(const struct cgi *c, const char *base, struct liege_request *req)
{
    struct liege_str protocol = cgi_value(c, CGI_SERVER_PROTOCOL, base);

    req->method = cgi_value(c, CGI_REQUEST_METHOD, base);
    req->protocol = protocol.len > 0 ? protocol : http_str("HTTP/1.0", 8);
    req->scheme = scheme_of(c, base);
    req->server_name = cgi_value(c, CGI_SERVER_NAME, base);
    req->server_port = cgi_value(c, CGI_SERVER_PORT, base);
    req->remote_addr = cgi_value(c, CGI_REMOTE_ADDR, base);
    req->remote_port = cgi_value(c, CGI_REMOTE_PORT, base);
}

/* The name of the field that @key, "HTTP_ACCEPT_LANGUAGE", is the variable of. */
static struct liege_str field_name(struct arena *arena, struct liege_str key)
{
    size_t len = key.len - CGI_FIELD_PREFIX_LEN;
    char *name = arena_alloc(arena, len);

    for (size_t i = 0; i < len; i++) {
        char c = key.data[CGI_FIELD_PREFIX_LEN + i];
        if (c == '_')
            c = '-';
        else if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        name[i] = c;
    }
    return http_str(name, len);
}

static void fill_lists(struct cgi *c, const char *base, struct liege_request *req)
{
    struct liege_field *fields = arena_alloc(c->arena, (c->n_fields + 1) * sizeof(*fields));
    struct liege_var *vars = arena_alloc(c->arena, (c->n_others + 1) * sizeof(*vars));
    struct liege_str type = cgi_value(c, CGI_CONTENT_TYPE, base);
    size_t n_fields = 0, n_vars = 0;

    for (size_t i = 0; i < c->n_vars; i++) {
        const struct cgi_var *v = &c->vars[i];
        struct liege_str name = http_str(base + v->name, v->name_len);
        struct liege_str value = http_str(base + v->value, v->value_len);
        if (v->use & CGI_USE_VAR) {
            vars[n_vars++] = (struct liege_var){.name = name, .value = value};
            continue;
        }
        name = field_name(c->arena, name);
        fields[n_fields++] = (struct liege_field){
            .name = name,
            .value = http_trim(value),
            .id = http_field_id(name.data, name.len),
        };
    }
    if (type.len > 0)
        fields[n_fields++] = (struct liege_field){
            .name = http_str("content-type", 12),
            .value = type,
            .id = LIEGE_FIELD_CONTENT_TYPE,
        };
    req->n_fields = http_fields_merge(fields, n_fields, c->arena, NULL);
    req->fields = fields;
    req->vars = vars;
    req->n_vars = n_vars;
}

size_t cgi_fill(struct cgi *c, const struct proto_facts *f, const char *base,
                struct liege_request *req)
{
    fill_server(c, base, req);
    req->query = c->has[CGI_QUERY_STRING] ? cgi_value(c, CGI_QUERY_STRING, base)
                                          : http_str(base + c->query, c->query_len);
    fill_path(c, base, req);
    req->target = cgi_value(c, CGI_REQUEST_URI, base);
    if (req->target.len == 0)
        req->target = make_target(c, req);
    fill_lists(c, base, req);
    req->has_body = f->has_body;
    req->body_length = f->length_unknown ? f->body_bytes : f->content_length;
    return 0;
}
