/* SPDX-License-Identifier: MIT */
/* Variables of requests, the same in uwsgi, FastCGI and SCGI: what becomes of them, and which are
 * refused with which status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/macro.h"
#include "cgi-encode.h"
#include "http/field.h"
#include "proto-feed.h"

static const enum proto_id gateways[] = {PROTO_UWSGI, PROTO_FASTCGI, PROTO_SCGI};

static struct cgi_text text;
static struct feed_result result;
static struct arena arena;
static struct proto p;
static struct liege_request req;

/* Gives the request with @vars to the parser of @id and makes @req of it. */
static void fill(enum proto_id id, const char *vars)
{
    cgi_encode(id, vars, NULL, &text);
    arena_reset(&arena);
    proto_init(&p, id);
    proto_reset(&p, &feed_limits, &arena);
    memset(&req, 0xee, sizeof(req));
    enum proto_state state = proto_parse_head(&p, text.data, text.len);
    if (state != PROTO_HEAD_DONE && state != PROTO_COMPLETE)
        fail_msg("%s: %s: %s", protocols[id].name, vars, p.facts.reason);
    assert_int_equal(proto_fill_request(&p, text.data, &req), 0);
}

static void check_str(struct liege_str s, const char *want)
{
    if (s.len != strlen(want) || memcmp(s.data, want, s.len) != 0)
        fail_msg("'%.*s' is not '%s'", (int)s.len, s.data, want);
}

/* @want: NULL for a field that must not be there. */
static void check_field(const char *name, const char *want)
{
    for (size_t i = 0; i < req.n_fields; i++) {
        const struct liege_field *f = &req.fields[i];
        if (f->name.len != strlen(name) || memcmp(f->name.data, name, f->name.len) != 0)
            continue;
        if (!want)
            fail_msg("there is a field %s", name);
        check_str(f->value, want);
        assert_int_equal(f->id, http_field_id(name, strlen(name)));
        return;
    }
    if (want)
        fail_msg("there is no field %s", name);
}

static void check_var(const char *name, const char *want)
{
    for (size_t i = 0; i < req.n_vars; i++) {
        const struct liege_var *v = &req.vars[i];
        if (v->name.len != strlen(name) || memcmp(v->name.data, name, v->name.len) != 0)
            continue;
        if (!want)
            fail_msg("there is a variable %s", name);
        check_str(v->value, want);
        return;
    }
    if (want)
        fail_msg("there is no variable %s", name);
}

/* What nginx sends with its uwsgi_params. */
static void test_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(gateways); i++) {
        fill(gateways[i], "CONTENT_LENGTH=3\nQUERY_STRING=a=%20b\nREQUEST_METHOD=POST\n"
                          "CONTENT_TYPE=text/plain\nREQUEST_URI=/x%20y/z?a=%20b\n"
                          "PATH_INFO=/x y/z\nDOCUMENT_ROOT=/srv/www\nSERVER_PROTOCOL=HTTP/2.0\n"
                          "REQUEST_SCHEME=https\nHTTPS=on\nREMOTE_ADDR=192.0.2.1\n"
                          "REMOTE_PORT=4711\nSERVER_PORT=443\nSERVER_NAME=example.org\n"
                          "HTTP_HOST=example.org:443\nHTTP_ACCEPT_LANGUAGE=\tde, en \n"
                          "HTTP_X_OWN_9=1\nHTTP_CONTENT_LENGTH=3\nHTTP_CONTENT_TYPE=text/plain\n"
                          "HTTP_TRANSFER_ENCODING=chunked\nHTTP_EXPECT=100-continue\n"
                          "SSL_CLIENT_VERIFY=SUCCESS\nmy.var-1=");
        check_str(req.method, "POST");
        check_str(req.target, "/x%20y/z?a=%20b");
        check_str(req.script_name, "");
        check_str(req.path, "/x y/z");
        check_str(req.query, "a=%20b");
        check_str(req.protocol, "HTTP/2.0");
        check_str(req.scheme, "https");
        check_str(req.server_name, "example.org");
        check_str(req.server_port, "443");
        check_str(req.remote_addr, "192.0.2.1");
        check_str(req.remote_port, "4711");
        assert_int_equal(req.n_fields, 5);
        check_field("host", "example.org:443");
        check_field("accept-language", "de, en");
        check_field("x-own-9", "1");
        check_field("content-type", "text/plain");
        check_field("expect", "100-continue");
        assert_int_equal(req.n_vars, 4);
        check_var("DOCUMENT_ROOT", "/srv/www");
        check_var("SSL_CLIENT_VERIFY", "SUCCESS");
        check_var("REQUEST_SCHEME", "https");
        check_var("my.var-1", "");
        assert_true(req.has_body);
        assert_int_equal(req.body_length, 3);
        assert_int_equal(p.facts.minor, 1);
        assert_false(p.facts.is_head || p.facts.expect_continue);
    }
}

/* Of what the web server says nothing, nothing is made up. */
static void test_bare_request(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(gateways); i++) {
        fill(gateways[i], "REQUEST_METHOD=HEAD\nPATH_INFO=/");
        check_str(req.protocol, "HTTP/1.0");
        check_str(req.scheme, "http");
        check_str(req.server_name, "");
        check_str(req.remote_addr, "");
        assert_int_equal(req.n_fields + req.n_vars, 0);
        assert_false(req.has_body);
        assert_int_equal(req.body_length, 0);
        assert_true(p.facts.is_head);
        assert_int_equal(p.facts.minor, 0);
    }
}

static void test_paths(void **state)
{
    static const struct {
        const char *vars, *script, *path, *query, *target;
    } cases[] = {
        {"REQUEST_URI=/a%20b?c", "", "/a b", "c", "/a%20b?c"},
        {"REQUEST_URI=/a?c\nQUERY_STRING=d", "", "/a", "d", "/a?c"},
        {"REQUEST_URI=/a?c\nQUERY_STRING=", "", "/a", "", "/a?c"},
        {"REQUEST_URI=/a\nPATH_INFO=/b", "", "/b", "", "/a"},
        {"REQUEST_URI=http://h/a", "", "/a", "", "http://h/a"},
        {"REQUEST_URI=http://h", "", "/", "", "http://h"},
        {"REQUEST_URI=/m%61/x\nSCRIPT_NAME=/ma", "/ma", "/x", "", "/m%61/x"},
        {"REQUEST_URI=/ma/\nSCRIPT_NAME=/ma", "/ma", "/", "", "/ma/"},
        {"REQUEST_URI=/max\nSCRIPT_NAME=/ma", "/ma", "/max", "", "/max"},
        {"REQUEST_URI=/ma/x\nSCRIPT_NAME=/ma\nPATH_INFO=/x", "/ma", "/x", "", "/ma/x"},
        {"REQUEST_URI=/ma\nSCRIPT_NAME=/ma\nPATH_INFO=", "/ma", "", "", "/ma"},
        {"REQUEST_URI=/a/b\nSCRIPT_NAME=/a/b", "", "/a/b", "", "/a/b"}, /* not split */
        {"REQUEST_URI=/a\nSCRIPT_NAME=/\nPATH_INFO=/a", "", "/a", "", "/a"},
        {"REQUEST_URI=/\nSCRIPT_NAME=\nPATH_INFO=", "", "/", "", "/"},
        {"PATH_INFO=/a b?%\nQUERY_STRING=c", "", "/a b?%", "c", "/a%20b%3F%25?c"},
        {"SCRIPT_NAME=/m\nPATH_INFO=/\xc3", "/m", "/\xc3", "", "/m/%C3"},
        {"SCRIPT_NAME=/m", "", "/m", "", "/m"},
    };

    (void)state;
    for (size_t k = 0; k < COUNT_OF(cases) * COUNT_OF(gateways); k++) {
        size_t i = k / COUNT_OF(gateways);
        char vars[512];
        (void)snprintf(vars, sizeof(vars), "REQUEST_METHOD=GET\n%s", cases[i].vars);
        fill(gateways[k % COUNT_OF(gateways)], vars);
        check_str(req.script_name, cases[i].script);
        check_str(req.path, cases[i].path);
        check_str(req.query, cases[i].query);
        check_str(req.target, cases[i].target);
    }
}

/* nginx sends what "include fastcgi_params" says and what the operator says after it. */
static void test_last_one_counts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(gateways); i++) {
        fill(gateways[i], "REQUEST_METHOD=GET\nREQUEST_URI=/m/x\nSCRIPT_NAME=/m/x\nPATH_INFO=/m/x\n"
                          "QUERY_STRING=a\nREMOTE_ADDR=192.0.2.1\nHTTPS=off\nSERVER_NAME=a\n"
                          "SCRIPT_NAME=/m\nPATH_INFO=/x\nQUERY_STRING=b\nREMOTE_ADDR=192.0.2.2\n"
                          "HTTPS=on\nSERVER_NAME=b");
        check_str(req.script_name, "/m");
        check_str(req.path, "/x");
        check_str(req.query, "b");
        check_str(req.remote_addr, "192.0.2.2");
        check_str(req.scheme, "https");
        check_str(req.server_name, "b");
    }
}

static void test_schemes(void **state)
{
    static const struct {
        const char *vars, *scheme;
    } cases[] = {
        {"HTTPS=on", "https"},
        {"HTTPS=1", "https"},
        {"HTTPS=off", "http"},
        {"HTTPS=", "http"},
        {"REQUEST_SCHEME=https", "https"},
        {"REQUEST_SCHEME=http\nHTTPS=on", "https"},
        {"UWSGI_SCHEME=http\nHTTPS=on", "http"},
        {"UWSGI_SCHEME=https\nREQUEST_SCHEME=http", "https"},
    };

    (void)state;
    for (size_t k = 0; k < COUNT_OF(cases) * COUNT_OF(gateways); k++) {
        size_t i = k / COUNT_OF(gateways);
        char vars[256];
        (void)snprintf(vars, sizeof(vars), CGI_GET "\n%s", cases[i].vars);
        fill(gateways[k % COUNT_OF(gateways)], vars);
        check_str(req.scheme, cases[i].scheme);
        check_var("HTTPS", NULL);
        check_var("UWSGI_SCHEME", NULL);
    }
}

static void test_repeated_fields(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(gateways); i++) {
        fill(gateways[i], CGI_GET "\nHTTP_X_A=1\nHTTP_COOKIE=a=b\nHTTP_X_A=2\nHTTP_COOKIE=c=d\n"
                                  "HTTP_X-A=3\nFOO=1\nFOO=2");
        assert_int_equal(req.n_fields, 2);
        check_field("x-a", "1, 2, 3");
        check_field("cookie", "a=b; c=d");
        assert_int_equal(req.n_vars, 2);
    }
}

/* Nothing in a request loads code, opens a file or looks like the server's own. */
static void test_dropped(void **state)
{
    static const char *const names[] = {
        "UWSGI_FILE",     "UWSGI_SCRIPT",    "UWSGI_MODULE", "UWSGI_CALLABLE", "UWSGI_PYHOME",
        "UWSGI_HOME",     "UWSGI_CHDIR",     "UWSGI_APPID",  "UWSGI_SETENV",   "UWSGI_TOUCH_RELOAD",
        "UWSGI_POSTFILE", "UWSGI_CACHE_GET", "HTTP_PROXY",   "wsgi.input",     "psgi.errors",
        "psgix.logger",   "uwsgi.version",   "wsgi.",
    };

    (void)state;
    for (size_t k = 0; k < COUNT_OF(names) * COUNT_OF(gateways); k++) {
        const char *name = names[k / COUNT_OF(gateways)];
        char vars[256];
        (void)snprintf(vars, sizeof(vars), CGI_GET "\n%s=exec://id\nUWSGI_FILES=1", name);
        fill(gateways[k % COUNT_OF(gateways)], vars);
        assert_int_equal(req.n_fields, 0);
        assert_int_equal(req.n_vars, 1);
        check_var("UWSGI_FILES", "1");
    }
}

static const struct refusal {
    const char *vars;
    int status;
} refusals[] = {
    /* clang-format off */
    {"REQUEST_URI=/", 400},
    {"REQUEST_METHOD=\nREQUEST_URI=/", 400},
    {"REQUEST_METHOD=G T\nREQUEST_URI=/", 400},
    {"REQUEST_METHOD=CONNECT\nREQUEST_URI=/", 501},
    {"REQUEST_METHOD=GET", 400},
    {"REQUEST_METHOD=GET\nREQUEST_URI=", 400},
    {"REQUEST_METHOD=GET\nREQUEST_URI=a", 400},
    {"REQUEST_METHOD=GET\nREQUEST_URI=*", 400},
    {"REQUEST_METHOD=GET\nREQUEST_URI=/%00", 400},
    {"REQUEST_METHOD=GET\nREQUEST_URI=/%4", 400},
    {"REQUEST_METHOD=GET\nREQUEST_URI=/#a", 400},
    {"REQUEST_METHOD=GET\nREQUEST_URI=/\xc3\xa9", 400},
    {"REQUEST_METHOD=GET\nREQUEST_URI=/ a", 400},
    {"REQUEST_METHOD=GET\nPATH_INFO=a", 400},
    {"REQUEST_METHOD=GET\nPATH_INFO=/\nSCRIPT_NAME=a", 400},
    {CGI_GET "\nQUERY_STRING=a b", 400},
    {CGI_GET "\nQUERY_STRING=a#b", 400},
    {"REQUEST_METHOD=GET\nREQUEST_URI=/\nSERVER_PROTOCOL=HTTP/0.9", 505},
    {"REQUEST_METHOD=GET\nREQUEST_URI=/\nSERVER_PROTOCOL=HTTP/1.1x", 400},
    {"REQUEST_METHOD=GET\nREQUEST_URI=/\nSERVER_PROTOCOL=INCLUDED", 400},
    {"REQUEST_METHOD=GET\nREQUEST_URI=/\nSERVER_PROTOCOL=HTTP/x", 400},

    {"CONTENT_LENGTH=1\nCONTENT_LENGTH=1\n" CGI_GET, 400},
    {CGI_GET "\nREQUEST_METHOD=GET", 400},
    {CGI_GET "\nREQUEST_URI=/", 400},
    {CGI_GET "\nHTTP_HOST=a\nHTTP_HOST=a", 400},
    {CGI_GET "\nHTTP_EXPECT=a\nHTTP_EXPECT=a", 400},
    {CGI_GET "\nHTTP_TRANSFER_ENCODING=chunked\nHTTP_TRANSFER_ENCODING=chunked", 400},
    {CGI_GET "\nSCGI=1\nSCGI=1", 400},

    {"CONTENT_LENGTH=x\n" CGI_GET, 400},
    {"CONTENT_LENGTH=-1\n" CGI_GET, 400},
    {"CONTENT_LENGTH=+1\n" CGI_GET, 400},
    {"CONTENT_LENGTH=1 \n" CGI_GET, 400},
    {"CONTENT_LENGTH=0x1\n" CGI_GET, 400},
    {"CONTENT_LENGTH=1,1\n" CGI_GET, 400},
    {"CONTENT_LENGTH=9223372036854775808\n" CGI_GET, 400},
    {"CONTENT_LENGTH=18446744073709551617\n" CGI_GET, 400},
    {"CONTENT_LENGTH=1048577\n" CGI_GET, 413},
    {"CONTENT_LENGTH=1\n" CGI_GET "\nHTTP_CONTENT_LENGTH=2", 400},
    {"CONTENT_LENGTH=1\n" CGI_GET "\nHTTP_CONTENT_LENGTH=x", 400},

    {CGI_GET "\nHTTP_HOST=a b", 400},
    {CGI_GET "\nHTTP_HOST=a/b", 400},
    {CGI_GET "\nHTTP_X=a\x01", 400},
    {CGI_GET "\nHTTP_X=a\rb", 400},
    {CGI_GET "\nHTTP_X=\x7f", 400},
    {CGI_GET "\nCONTENT_TYPE=a\rb", 400},
    {CGI_GET "\nSERVER_NAME=a\rb", 400},
    {CGI_GET "\nREMOTE_ADDR=a\rb", 400},
    {CGI_GET "\nSERVER_PORT=http", 400},
    {CGI_GET "\nSERVER_PORT=123456", 400},
    {CGI_GET "\nREMOTE_PORT=-1", 400},
    {CGI_GET "\nREQUEST_SCHEME=ftp", 400},
    {CGI_GET "\nUWSGI_SCHEME=javascript", 400},
    {CGI_GET "\nFO O=1", 400},
    {CGI_GET "\nFOO\r=1", 400},
    {CGI_GET "\nF\xc3\xa9=1", 400},
    {CGI_GET "\nA[0]=1", 400},
    {CGI_GET "\n=1", 400},
};
/* clang-format on */

static void test_refusals(void **state)
{
    (void)state;
    for (size_t k = 0; k < COUNT_OF(refusals) * COUNT_OF(gateways); k++) {
        const struct refusal *c = &refusals[k / COUNT_OF(gateways)];
        enum proto_id id = gateways[k % COUNT_OF(gateways)];
        cgi_encode(id, c->vars, NULL, &text);
        feed_all_ways(id, text.data, text.len, &feed_limits, &result);
        if (result.state != PROTO_REFUSED || result.status != c->status)
            fail_msg("%s: %s: %d %s", protocols[id].name, c->vars, result.status, result.reason);
        assert_non_null(result.reason);
    }
}

/* Bytes that the variables above cannot have. */
static void test_nul(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) { /* SCGI cannot have one: it ends there */
        static struct cgi_text pairs;
        pairs.len = 0;
        cgi_text_add_pair(&pairs, gateways[i], "REQUEST_METHOD", 14, "GET", 3);
        cgi_text_add_pair(&pairs, gateways[i], "REQUEST_URI", 11, "/", 1);
        cgi_text_add_pair(&pairs, gateways[i], "FOO", 3, "a\0b", 3);
        text.len = 0;
        if (gateways[i] == PROTO_UWSGI) {
            const char head[] = {0, (char)pairs.len, 0, 0};
            cgi_text_add(&text, head, sizeof(head));
            cgi_text_add(&text, pairs.data, pairs.len);
        } else {
            cgi_text_add_begin(&text, 1, 1, 0);
            cgi_text_add_record(&text, FASTCGI_PARAMS, 1, pairs.data, pairs.len, 0);
            cgi_text_add_record(&text, FASTCGI_PARAMS, 1, NULL, 0, 0);
        }
        feed_all_ways(gateways[i], text.data, text.len, &feed_limits, &result);
        assert_int_equal(result.status, 400);
        assert_string_equal(result.reason, "NUL in the value of a variable");
    }
}

/* Adds @n variables "@name<i>=1". */
static size_t add_many(char *out, size_t size, const char *name, int n)
{
    size_t len = strlen(out);

    for (int i = 0; i < n; i++)
        len += (size_t)snprintf(out + len, size - len, "\n%s%d=1", name, i);
    return len;
}

/* Adds "@name=" and @n characters. */
static void add_long(char *out, size_t size, const char *name, size_t n)
{
    size_t len = strlen(out);

    len += (size_t)snprintf(out + len, size - len, "\n%s=/", name);
    assert_true(len + n <= size);
    memset(out + len, 'a', n - 1);
    out[len + n - 1] = '\0';
}

static void test_limits(void **state)
{
    static const struct {
        const char *name;
        int n;      /* variables */
        size_t len; /* of one */
        int status;
    } cases[] = {
        {"HTTP_X", 100, 0, 0},
        {"HTTP_X", 101, 0, 431},
        {"FOO", 256, 0, 0},
        {"FOO", 257, 0, 431},
        {"FOO", 0, 16384 - 3, 0},
        {"FOO", 0, 16384 - 2, 431},
        {"HTTP_X", 0, 16384 - 6, 0},
        {"HTTP_X", 0, 16384 - 5, 431},
        {"PATH_INFO", 0, 16384, 0},
        {"PATH_INFO", 0, 16385, 414},
        {"SCRIPT_NAME", 0, 16385, 414},
        {"QUERY_STRING", 0, 16385, 414},
    };
    static char vars[65536];

    (void)state;
    for (size_t k = 0; k < COUNT_OF(cases) * COUNT_OF(gateways); k++) {
        size_t i = k / COUNT_OF(gateways);
        enum proto_id id = gateways[k % COUNT_OF(gateways)];
        (void)strcpy(vars, CGI_GET);
        if (cases[i].n > 0)
            add_many(vars, sizeof(vars), cases[i].name, cases[i].n);
        else
            add_long(vars, sizeof(vars), cases[i].name, cases[i].len);
        cgi_encode(id, vars, NULL, &text);
        feed(id, text.data, text.len, FEED_WHOLE, &feed_limits, &result);
        assert_int_equal(result.status, cases[i].status);
        feed(id, text.data, text.len, 777, &feed_limits, &result);
        assert_int_equal(result.status, cases[i].status);
    }
}

/* A head over buffer-size is refused as soon as its length is known. */
static void test_head_limit(void **state)
{
    struct proto_limits limits = feed_limits;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(gateways); i++) {
        limits.max_head_bytes = 1024;
        cgi_encode(gateways[i], CGI_GET "\nFOO=1", NULL, &text);
        feed_all_ways(gateways[i], text.data, text.len, &limits, &result);
        assert_int_equal(result.state, PROTO_COMPLETE);
        size_t head_len = result.head_len;
        limits.max_head_bytes = head_len;
        feed_all_ways(gateways[i], text.data, text.len, &limits, &result);
        assert_int_equal(result.state, PROTO_COMPLETE);
        limits.max_head_bytes = head_len - 1;
        feed_all_ways(gateways[i], text.data, text.len, &limits, &result);
        assert_int_equal(result.status, 431);
    }
}

/* A request that is cut short anywhere is never complete; what follows it is left alone. */
static void test_every_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(gateways); i++) {
        cgi_encode(gateways[i], "CONTENT_LENGTH=5\n" CGI_GET "\nHTTP_HOST=a", "hello", &text);
        size_t len = text.len;
        for (size_t n = 0; n < len; n++) {
            feed(gateways[i], text.data, n, FEED_WHOLE, &feed_limits, &result);
            assert_int_equal(result.state, PROTO_MORE);
        }
        cgi_text_add(&text, "next", 4);
        feed_all_ways(gateways[i], text.data, text.len, &feed_limits, &result);
        assert_int_equal(result.state, PROTO_COMPLETE);
        assert_int_equal(result.used, len);
        assert_int_equal(result.body_len, 5);
        assert_memory_equal(result.body, "hello", 5);
    }
}

/* The bytes may move between parsing and filling. */
static void test_moved_bytes(void **state)
{
    static struct cgi_text moved;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(gateways); i++) {
        cgi_encode(gateways[i], CGI_GET "\nHTTP_HOST=a", NULL, &text);
        arena_reset(&arena);
        proto_init(&p, gateways[i]);
        proto_reset(&p, &feed_limits, &arena);
        (void)proto_parse_head(&p, text.data, text.len);
        moved = text;
        memset(text.data, 'x', text.len);
        struct proto copy = p;
        memset(&p, 0xee, sizeof(p));
        (void)proto_fill_request(&copy, moved.data, &req);
        check_str(req.method, "GET");
        check_field("host", "a");
    }
}

static int done(void **state)
{
    (void)state;
    arena_done(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_bare_request),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_schemes),
        cmocka_unit_test(test_last_one_counts),
        cmocka_unit_test(test_repeated_fields),
        cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_head_limit),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_moved_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, done);
}
