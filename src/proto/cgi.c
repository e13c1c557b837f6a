/* SPDX-License-Identifier: MIT */
/* Collects the variables of a request and judges them. What frames a request may come once
 * only; what HTTP/1.1 would refuse (a target, host or length that can be read in two ways, a
 * control character in a field) is refused here with the same status. A request never chooses what
 * is run: the variables with which uWSGI lets it do so are dropped. Called by the parsers of uwsgi,
 * FastCGI and SCGI. */
#include "proto/cgi.h"

#include <string.h>

#include "base/arena.h"
#include "http/field.h"
#include "http/text.h"
#include "http/url.h"

#define MAX_OTHERS      256 /* variables that are no fields */
#define FIRST_ROOM      32
#define MAX_METHOD_LEN  64
#define MAX_PORT_DIGITS 5

/* clang-format off */
static const struct key_row {
    const char *name;
    size_t len;
    enum cgi_use use;
    const char *twice; /* the reason to refuse a second one */
} key_rows[CGI_KEY_COUNT] = {
#define KEY_ROW(name, use) \
    [CGI_##name] = { #name, sizeof(#name) - 1, CGI_USE_##use, "more than one " #name " variable" },
    CGI_KEYS(KEY_ROW)
#undef KEY_ROW
};

/* Variables that no application gets. */
static const struct dropped_row {
    const char *name;
    bool prefix; /* all names that begin so */
    const char *reason;
} dropped_rows[] = {
    { "HTTP_PROXY",        false, "looks like the setting http_proxy (httpoxy)" },
    { "UWSGI_APPID",       false, "would choose the application" },
    { "UWSGI_FILE",        false, "would load code" },
    { "UWSGI_SCRIPT",      false, "would load code" },
    { "UWSGI_MODULE",      false, "would load code" },
    { "UWSGI_CALLABLE",    false, "would choose the code to run" },
    { "UWSGI_PYHOME",      false, "would choose where code comes from" },
    { "UWSGI_HOME",        false, "would choose where code comes from" },
    { "UWSGI_CHDIR",       false, "would change the directory of the process" },
    { "UWSGI_SETENV",      false, "would change the environment of the process" },
    { "UWSGI_TOUCH_RELOAD", false, "would watch a file" },
    { "UWSGI_CACHE_GET",   false, "would answer from a cache" },
    { "UWSGI_POSTFILE",    false, "would open a file as the body" },
    { "wsgi.",             true,  "a name of PEP 3333: an object of the server" },
    { "psgi.",             true,  "a name of PSGI: an object of the server" },
    { "psgix.",            true,  "a name of PSGI's extensions: an object of the server" },
    { "uwsgi.",            true,  "a name of the server" },
};
/* clang-format on */

static bool refuse(struct proto_facts *f, int status, const char *reason)
{
    (void)facts_refuse(f, status, reason);
    return false;
}

static enum cgi_key find_key(struct liege_str name)
{
    for (enum cgi_key key = CGI_OTHER + 1; key < CGI_KEY_COUNT; key++)
        if (key_rows[key].len == name.len && memcmp(key_rows[key].name, name.data, name.len) == 0)
            return key;
    return CGI_OTHER;
}

static bool is_dropped(struct liege_str name)
{
    for (size_t i = 0; i < COUNT_OF(dropped_rows); i++) {
        const struct dropped_row *row = &dropped_rows[i];
        size_t len = strlen(row->name);
        if (name.len >= len && (row->prefix || name.len == len) &&
            memcmp(name.data, row->name, len) == 0)
            return true;
    }
    return false;
}

static bool is_name(struct liege_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i], letter = (char)(c | 0x20);
        if (!(letter >= 'a' && letter <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '.' &&
            c != '-')
            return false;
    }
    return name.len > 0;
}

static bool is_field_name(struct liege_str name)
{
    return name.len > CGI_FIELD_PREFIX_LEN &&
           memcmp(name.data, CGI_FIELD_PREFIX, CGI_FIELD_PREFIX_LEN) == 0;
}

void cgi_reset(struct cgi *c, const struct proto_limits *limits, struct arena *arena)
{
    *c = (struct cgi){.limits = limits, .arena = arena};
}

/* Keeps @v for the request. */
static bool keep(struct cgi *c, struct proto_facts *f, const struct cgi_var *v)
{
    if (v->use & CGI_USE_FIELD && ++c->n_fields > c->limits->max_fields)
        return refuse(f, 431, "more fields than the limit allows (limit-request-fields)");
    if (v->use & CGI_USE_VAR && ++c->n_others > MAX_OTHERS)
        return refuse(f, 431, "more than 256 variables");
    if (c->n_vars == c->room) {
        size_t room = c->room > 0 ? 2 * c->room : FIRST_ROOM;
        struct cgi_var *more = arena_alloc(c->arena, room * sizeof(*more));
        if (c->n_vars > 0)
            memcpy(more, c->vars, c->n_vars * sizeof(*more));
        c->vars = more;
        c->room = room;
    }
    c->vars[c->n_vars++] = *v;
    return true;
}

/* These are bounded as parts of the request line. */
static bool is_of_target(enum cgi_key key)
{
    return key == CGI_REQUEST_URI || key == CGI_SCRIPT_NAME || key == CGI_PATH_INFO ||
           key == CGI_QUERY_STRING;
}

static bool check_length(const struct cgi *c, struct proto_facts *f, enum cgi_key key,
                         const struct cgi_var *v)
{
    if (is_of_target(key))
        return v->value_len <= c->limits->max_target_bytes ||
               refuse(f, 414, "the request target is over the limit (limit-request-line)");
    return (size_t)v->name_len + v->value_len <= c->limits->max_field_bytes ||
           refuse(f, 431, "a variable is over the limit (limit-request-field-size)");
}

bool cgi_add(struct cgi *c, struct proto_facts *f, const char *base, const struct cgi_var *v)
{
    struct liege_str name = http_str(base + v->name, v->name_len);
    struct cgi_var own = *v;

    if (!is_name(name))
        return refuse(f, 400,
                      "the name of a variable has a character other than A-Z a-z 0-9 _ . -");
    if (v->value_len > 0 && memchr(base + v->value, '\0', v->value_len))
        return refuse(f, 400, "NUL in the value of a variable");

    enum cgi_key key = find_key(name);
    if (!check_length(c, f, key, v))
        return false;
    if (key != CGI_OTHER) {
        if (c->has[key] && key_rows[key].use & CGI_USE_ONCE)
            return refuse(f, 400, key_rows[key].twice);
        c->keys[key] = *v;
        c->has[key] = true;
        own.use = key_rows[key].use;
    } else if (is_dropped(name)) {
        own.use = CGI_USE_FACT;
    } else {
        own.use = is_field_name(name) ? CGI_USE_FIELD : CGI_USE_VAR;
    }
    if (own.use & CGI_USE_FIELD && !http_is_value(base + v->value, v->value_len))
        return refuse(f, 400, "control character in a field");
    return !(own.use & (CGI_USE_FIELD | CGI_USE_VAR)) || keep(c, f, &own);
}

static bool check_method(const struct cgi *c, struct proto_facts *f, const char *base)
{
    struct liege_str method = cgi_value(c, CGI_REQUEST_METHOD, base);

    if (method.len == 0)
        return refuse(f, 400, "no REQUEST_METHOD");
    if (method.len > MAX_METHOD_LEN || !http_all(method.data, method.len, HTTP_CLASS_TOKEN))
        return refuse(f, 400, "malformed REQUEST_METHOD");
    if (method.len == 7 && memcmp(method.data, "CONNECT", 7) == 0)
        return refuse(f, 501, "CONNECT: this is no proxy");
    f->is_head = method.len == 4 && memcmp(method.data, "HEAD", 4) == 0;
    return true;
}

/* "HTTP/1.1", or "HTTP/2" as some web servers write it. */
static bool check_protocol(const struct cgi *c, struct proto_facts *f, const char *base)
{
    struct liege_str p = cgi_value(c, CGI_SERVER_PROTOCOL, base);

    if (p.len == 0)
        return true; /* HTTP/1.0 */
    if ((p.len != 6 && p.len != 8) || memcmp(p.data, "HTTP/", 5) != 0 ||
        !http_is(p.data[5], HTTP_CLASS_DIGIT) ||
        (p.len == 8 && (p.data[6] != '.' || !http_is(p.data[7], HTTP_CLASS_DIGIT))))
        return refuse(f, 400, "SERVER_PROTOCOL is not a version of HTTP");
    if (p.data[5] == '0')
        return refuse(f, 505, "HTTP version below 1.0");
    f->minor = memcmp(p.data, "HTTP/1.0", MIN(p.len, (size_t)8)) != 0;
    return true;
}

static uint32_t offset_of(const char *base, struct liege_str s, uint32_t *ret_len)
{
    *ret_len = (uint32_t)s.len;
    return s.len > 0 ? (uint32_t)(s.data - base) : 0;
}

static bool check_target(struct cgi *c, struct proto_facts *f, const char *base)
{
    struct liege_str method = cgi_value(c, CGI_REQUEST_METHOD, base);
    struct liege_str text = cgi_value(c, CGI_REQUEST_URI, base);
    struct http_target target = {0};
    const char *reason = NULL;

    if (text.len == 0)
        return c->has[CGI_PATH_INFO] || c->has[CGI_SCRIPT_NAME] ||
               refuse(f, 400, "neither REQUEST_URI nor PATH_INFO nor SCRIPT_NAME");
    bool options = method.len == 7 && memcmp(method.data, "OPTIONS", 7) == 0;
    if (http_target_parse(text, options, &target, &reason) < 0)
        return refuse(f, 400, reason);
    c->escaped = target.escaped;
    c->path = offset_of(base, target.path, &c->path_len);
    c->query = offset_of(base, target.query, &c->query_len);
    return true;
}

static bool is_path(struct liege_str path)
{
    return path.len == 0 || *path.data == '/' || (path.len == 1 && *path.data == '*');
}

static bool check_paths(const struct cgi *c, struct proto_facts *f, const char *base)
{
    struct liege_str query = cgi_value(c, CGI_QUERY_STRING, base);
    struct liege_str script = cgi_value(c, CGI_SCRIPT_NAME, base);

    if (script.len > 0 && *script.data != '/')
        return refuse(f, 400, "SCRIPT_NAME does not begin with a slash");
    if (!is_path(cgi_value(c, CGI_PATH_INFO, base)))
        return refuse(f, 400, "PATH_INFO does not begin with a slash");
    if (!http_all(query.data, query.len, HTTP_CLASS_TARGET))
        return refuse(f, 400, "QUERY_STRING has a byte that must be escaped");
    return true;
}

static bool is_port(struct liege_str port)
{
    return port.len <= MAX_PORT_DIGITS && http_all(port.data, port.len, HTTP_CLASS_DIGIT);
}

static bool check_addresses(const struct cgi *c, struct proto_facts *f, const char *base)
{
    static const enum cgi_key lines[] = {CGI_SERVER_NAME, CGI_REMOTE_ADDR, CGI_CONTENT_TYPE};

    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        struct liege_str s = cgi_value(c, lines[i], base);
        if (!http_is_value(s.data, s.len))
            return refuse(f, 400, "control character in SERVER_NAME, REMOTE_ADDR or CONTENT_TYPE");
    }
    if (!is_port(cgi_value(c, CGI_SERVER_PORT, base)) ||
        !is_port(cgi_value(c, CGI_REMOTE_PORT, base)))
        return refuse(f, 400, "SERVER_PORT or REMOTE_PORT is not a number");
    if (!http_host_is_valid(cgi_value(c, CGI_HTTP_HOST, base)))
        return refuse(f, 400, "the Host field is not a host name or address");
    return true;
}

static bool is_scheme(struct liege_str s)
{
    return s.len == 0 || http_equal(s, "http") || http_equal(s, "https");
}

static bool check_scheme(const struct cgi *c, struct proto_facts *f, const char *base)
{
    if (!is_scheme(cgi_value(c, CGI_UWSGI_SCHEME, base)) ||
        !is_scheme(cgi_value(c, CGI_REQUEST_SCHEME, base)))
        return refuse(f, 400, "UWSGI_SCHEME or REQUEST_SCHEME is neither http nor https");
    return true;
}

/* Web servers send an empty CONTENT_LENGTH when there is no body, and beside it what the client had
 * sent as a field. */
static bool check_body(const struct cgi *c, struct proto_facts *f, const char *base)
{
    struct liege_str text = cgi_value(c, CGI_CONTENT_LENGTH, base);
    struct liege_str field = cgi_value(c, CGI_HTTP_CONTENT_LENGTH, base);
    uint64_t max = c->limits->max_body_bytes, same = 0;

    if (text.len == 0)
        return true;
    if (http_length_parse(text, &f->content_length) < 0)
        return refuse(f, 400, "CONTENT_LENGTH is not a number of bytes");
    if (field.len > 0 && (http_length_parse(field, &same) < 0 || same != f->content_length))
        return refuse(f, 400, "CONTENT_LENGTH and HTTP_CONTENT_LENGTH differ");
    f->has_body = true;
    if (max > 0 && f->content_length > max)
        return refuse(f, 413, "the request body is over the limit (limit-post)");
    return true;
}

bool cgi_check(struct cgi *c, struct proto_facts *f, const char *base)
{
    return check_method(c, f, base) && check_protocol(c, f, base) && check_target(c, f, base) &&
           check_paths(c, f, base) && check_addresses(c, f, base) && check_scheme(c, f, base) &&
           check_body(c, f, base);
}
