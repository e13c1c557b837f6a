/* SPDX-License-Identifier: MIT */
/* What fields about the client make of a request, by whom they may be written, and what is refused.
 */
#include "http/forwarded.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "http/field.h"
#include "http/text.h"

#define MAX_FIELDS 16
#define ALL_NAMES                                                                                  \
    "x-forwarded-for, x-forwarded-proto, x-forwarded-host, x-forwarded-port, forwarded"

static struct arena arena;

static struct liege_str str(const char *text)
{
    return http_str(text, strlen(text));
}

static struct forwarded_rules rules_of(const char *proxies, const char *headers)
{
    char *items[] = {(char *)proxies, NULL}, *names[] = {(char *)headers, NULL};
    const struct liege_list p = {items, proxies != NULL}, h = {names, 1};
    struct forwarded_rules rules;
    struct errmsg err = {""};

    if (forwarded_rules_init(&rules, &p, &h, &err) < 0)
        fail_msg("%s", err.text);
    return rules;
}

/* Makes a request that came from 10.0.0.1, port 1000, of "name: value" lines separated by '\n'.
 * Lines are copied into memory of their own, without a terminator, so that the sanitizer sees every
 * read behind a value. */
struct made {
    struct liege_field fields[MAX_FIELDS];
    char *values[MAX_FIELDS];
    struct liege_request req;
};

static void make(struct made *m, const char *lines)
{
    *m = (struct made){.req = {.scheme = str("http"),
                               .server_port = str("80"),
                               .remote_addr = str("10.0.0.1"),
                               .remote_port = str("1000"),
                               .fields = m->fields}};
    while (*lines != '\0') {
        size_t line_len = strcspn(lines, "\n"), name_len = strcspn(lines, ":");
        size_t value_len = line_len - name_len - 2, n = m->req.n_fields++;
        assert_true(name_len < line_len && n < MAX_FIELDS);
        m->values[n] = malloc(value_len + 1);
        assert_non_null(m->values[n]);
        memcpy(m->values[n] + 1, lines + name_len + 2, value_len);
        m->fields[n] = (struct liege_field){
            .name = http_str(lines, name_len),
            .value = http_str(m->values[n] + 1, value_len),
            .id = http_field_id(lines, name_len),
        };
        lines += line_len + (lines[line_len] == '\n');
    }
}

static void unmake(struct made *m)
{
    for (size_t i = 0; i < MAX_FIELDS; i++)
        free(m->values[i]);
    arena_reset(&arena);
}

/* "addr port scheme server_port | name=value ..." */
static const char *show(const struct liege_request *req)
{
    static char text[1024];
    int n = snprintf(text, sizeof(text), "%.*s %.*s %.*s %.*s |", (int)req->remote_addr.len,
                     req->remote_addr.data, (int)req->remote_port.len, req->remote_port.data,
                     (int)req->scheme.len, req->scheme.data, (int)req->server_port.len,
                     req->server_port.data);

    for (size_t i = 0; i < req->n_fields; i++)
        n += snprintf(text + n, sizeof(text) - (size_t)n, " %.*s=%.*s",
                      (int)req->fields[i].name.len, req->fields[i].name.data,
                      (int)req->fields[i].value.len, req->fields[i].value.data);
    return text;
}

static const char *applied(const struct forwarded_rules *rules, bool trusted, const char *lines)
{
    const char *reason = NULL, *shown = NULL;
    struct made m;

    make(&m, lines);
    struct liege_request before = m.req;
    if (forwarded_apply(rules, trusted, &m.req, &arena, &reason) < 0) {
        assert_memory_equal(&m.req, &before, sizeof(before)); /* as it was */
        shown = reason;
    } else {
        assert_null(reason);
        shown = show(&m.req);
    }
    unmake(&m);
    return shown;
}

/* From a trusted proxy, with every name written by it; the fields stay. */
static const struct {
    const char *lines, *expected;
} facts[] = {
    {"Accept: x", "10.0.0.1 1000 http 80"},
    {"X-Forwarded-For: 192.0.2.1", "192.0.2.1  http 80"},
    {"X-Forwarded-For: 192.0.2.1:4711", "192.0.2.1 4711 http 80"},
    {"X-Forwarded-For: 2001:DB8::1", "2001:db8::1  http 80"},
    {"X-Forwarded-For: [2001:db8::1]", "2001:db8::1  http 80"},
    {"X-Forwarded-For: [2001:db8::1]:443", "2001:db8::1 443 http 80"},
    {"X-Forwarded-For: ::ffff:192.0.2.1", "192.0.2.1  http 80"},
    /* from right to left, over what is trusted, to the first that is not */
    {"X-Forwarded-For: 203.0.113.9, 192.0.2.1", "192.0.2.1  http 80"},
    {"X-Forwarded-For: 203.0.113.9, 192.0.2.1, 10.1.2.3", "192.0.2.1  http 80"},
    {"X-Forwarded-For: 192.0.2.1,10.1.2.3 ,\t10.0.0.2,::ffff:10.0.0.3", "192.0.2.1  http 80"},
    {"X-Forwarded-For: 192.0.2.1, 10.0.0.9, 198.51.100.7, 10.0.0.3", "198.51.100.7  http 80"},
    {"X-Forwarded-For: 10.0.0.9, 10.0.0.8", "10.0.0.9  http 80"}, /* a client inside */
    {"X-Forwarded-For: ,, 192.0.2.1,,", "192.0.2.1  http 80"},
    {"X-Forwarded-For: ", "10.0.0.1 1000 http 80"},
    {"X-Forwarded-For: ,", "10.0.0.1 1000 http 80"},
    /* what a client made up stands before and is not looked at */
    {"X-Forwarded-For: '; drop table, 192.0.2.1", "192.0.2.1  http 80"},
    {"X-Forwarded-For: unknown, 192.0.2.1", "192.0.2.1  http 80"},
    {"X-Forwarded-For: 192.0.2.1, unknown", "  http 80"},
    {"X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.3", "  http 80"},
    {"X-Forwarded-For: _hidden", "  http 80"},

    {"X-Forwarded-Proto: https", "10.0.0.1 1000 https 80"},
    {"X-Forwarded-Proto: HTTP", "10.0.0.1 1000 http 80"},
    {"X-Forwarded-Proto: wss", "10.0.0.1 1000 https 80"},
    {"X-Forwarded-Proto: ws", "10.0.0.1 1000 http 80"},
    {"X-Forwarded-Proto: gopher, https", "10.0.0.1 1000 https 80"},
    {"X-Forwarded-Proto: https, http", "10.0.0.1 1000 http 80"},
    {"X-Forwarded-Proto: ", "10.0.0.1 1000 http 80"},
    {"X-Forwarded-Port: 8443", "10.0.0.1 1000 http 8443"},
    {"X-Forwarded-Port: 1, 443", "10.0.0.1 1000 http 443"},
    {"X-Real-IP: 192.0.2.1", "10.0.0.1 1000 http 80"}, /* not read */

    {"Forwarded: for=192.0.2.1", "192.0.2.1  http 80"},
    {"Forwarded: For=\"192.0.2.1:4711\";Proto=HTTPS", "192.0.2.1 4711 https 80"},
    {"Forwarded: for=\"[2001:db8::1]\"", "2001:db8::1  http 80"},
    {"Forwarded: for=\"[2001:db8::1]:4711\";by=_x;proto=https", "2001:db8::1 4711 https 80"},
    {"Forwarded: for=\"192.0.2.1:_p\"", "192.0.2.1  http 80"},
    {"Forwarded: for=unknown", "  http 80"},
    {"Forwarded: for=\"unknown:80\"", "  http 80"},
    {"Forwarded: for=_SEVKISEK.-1;proto=https", "  https 80"},
    {"Forwarded: proto=https", "10.0.0.1 1000 https 80"},
    {"Forwarded: for=192.0.2.1; proto=https ; by=203.0.113.43", "192.0.2.1  https 80"},
    {"Forwarded: ;for=192.0.2.1;;proto=https;", "192.0.2.1  https 80"},
    {"Forwarded: , for=192.0.2.1,", "192.0.2.1  http 80"},
    {"Forwarded: ", "10.0.0.1 1000 http 80"},
    {"Forwarded: for=192.0.2.1;x=\"a\\\"b, for=198.51.100.7\"", "192.0.2.1  http 80"},
    /* an element speaks of one hop, with scheme and host */
    {"Forwarded: for=203.0.113.9;proto=https, for=192.0.2.1", "192.0.2.1  http 80"},
    {"Forwarded: for=192.0.2.1;proto=https, for=10.0.0.3;proto=http", "192.0.2.1  https 80"},
    {"Forwarded: for=10.0.0.9;proto=https, for=10.0.0.3;proto=http", "10.0.0.9  https 80"},
    {"Forwarded: for=192.0.2.1, for=_hidden, for=10.0.0.3", "  http 80"},
    {"Forwarded: for=192.0.2.1;proto=https, by=_proxy", "10.0.0.1 1000 http 80"},

    /* both say the same */
    {"Forwarded: for=192.0.2.1;proto=https\nX-Forwarded-For: 192.0.2.1\nX-Forwarded-Proto: https",
     "192.0.2.1  https 80"},
    {"X-Forwarded-For: 192.0.2.1:99\nForwarded: for=192.0.2.1\nX-Forwarded-Port: 443",
     "192.0.2.1 99 http 443"},
};

static void test_facts(void **state)
{
    struct forwarded_rules rules = rules_of("10.0.0.0/8", ALL_NAMES ", x-real-ip");

    (void)state;
    for (size_t i = 0; i < COUNT_OF(facts); i++) {
        const char *shown = applied(&rules, true, facts[i].lines);
        const char *bar = strstr(shown, " |");
        if (!bar || strlen(facts[i].expected) != (size_t)(bar - shown) ||
            memcmp(shown, facts[i].expected, (size_t)(bar - shown)) != 0)
            fail_msg("%s\ngives %s", facts[i].lines, shown);
    }
    forwarded_rules_done(&rules);
}

#define X_FOR   "X-Forwarded-For of a trusted proxy has no address there"
#define X_PROTO "X-Forwarded-Proto is neither http nor https"
#define X_HOST  "X-Forwarded-Host is not a host name or address"
#define X_PORT  "X-Forwarded-Port is not a port"
#define SYNTAX  "Forwarded is malformed (RFC 7239 section 4)"
#define NODE    "for= of Forwarded is not a node (RFC 7239 section 6)"
#define BOTH    "Forwarded and X-Forwarded-* of a trusted proxy disagree"

static const struct {
    const char *lines, *reason;
} refusals[] = {
    {"X-Forwarded-For: 192.0.2.1, nonsense", X_FOR},
    {"X-Forwarded-For: nonsense", X_FOR},
    {"X-Forwarded-For: 192.0.2.256", X_FOR},
    {"X-Forwarded-For: 192.0.2.1:65536", X_FOR},
    {"X-Forwarded-For: 192.0.2.1:", X_FOR},
    {"X-Forwarded-For: [192.0.2.1]", X_FOR},
    {"X-Forwarded-For: [::1", X_FOR},
    {"X-Forwarded-For: []", X_FOR},
    {"X-Forwarded-For: \"192.0.2.1\"", X_FOR},
    {"X-Forwarded-For: fe80::1%eth0", X_FOR},
    {"X-Forwarded-For: _", X_FOR},
    {"X-Forwarded-For: 192.0.2.1 198.51.100.7", X_FOR},
    {"X-Forwarded-Proto: https, ftp", X_PROTO},
    {"X-Forwarded-Proto: on", X_PROTO},
    {"X-Forwarded-Host: a b", X_HOST},
    {"X-Forwarded-Host: evil/", X_HOST},
    {"X-Forwarded-Host: :80", X_HOST},
    {"X-Forwarded-Host: good, b@d", X_HOST},
    {"X-Forwarded-Port: http", X_PORT},
    {"X-Forwarded-Port: 65536", X_PORT},
    {"X-Forwarded-Port: -1", X_PORT},
    {"X-Forwarded-Port: 443,000443", X_PORT},

    {"Forwarded: for", SYNTAX},
    {"Forwarded: for=", SYNTAX},
    {"Forwarded: =a", SYNTAX},
    {"Forwarded: for=\"\"", SYNTAX},
    {"Forwarded: for=\"192.0.2.1", SYNTAX},
    {"Forwarded: for=\"192.0.2.1\\", SYNTAX},
    {"Forwarded: for=\"192.0.2.1\\\"", SYNTAX},
    {"Forwarded: for=\"192.0.2.\\1\"", SYNTAX},
    {"Forwarded: for=192.0.2.1:80", SYNTAX},
    {"Forwarded: for=[::1]", SYNTAX},
    {"Forwarded: for =192.0.2.1", SYNTAX},
    {"Forwarded: for= 192.0.2.1", SYNTAX},
    {"Forwarded: for=192.0.2.1 proto=https", SYNTAX},
    {"Forwarded: for=192.0.2.1;for=198.51.100.7", SYNTAX},
    {"Forwarded: by=_a;by=_b", SYNTAX},
    {"Forwarded: for=\"x, for=192.0.2.1", SYNTAX}, /* a client's quote does not swallow the rest */
    {"Forwarded: for=a\"b\", for=192.0.2.1", SYNTAX},
    {"Forwarded: for=nonsense", NODE},
    {"Forwarded: for=\"2001:db8::1\"", NODE},
    {"Forwarded: for=\"[192.0.2.1]\"", NODE},
    {"Forwarded: for=\"192.0.2.1:x\"", NODE},
    {"Forwarded: for=_a~b", NODE},
    {"Forwarded: for=192.0.2.1;proto=ftp", "proto= of Forwarded is neither http nor https"},
    {"Forwarded: for=192.0.2.1;host=\"a b\"", "host= of Forwarded is not a host name or address"},
    {"Forwarded: host=\":80\"", "host= of Forwarded is not a host name or address"},

    {"Forwarded: for=192.0.2.1\nX-Forwarded-For: 192.0.2.2", BOTH},
    {"Forwarded: for=192.0.2.1;proto=https\nX-Forwarded-For: 192.0.2.1\nX-Forwarded-Proto: http",
     BOTH},
    {"Forwarded: for=192.0.2.1\nX-Forwarded-Proto: https", BOTH},
    {"Forwarded: by=_x\nX-Forwarded-For: 192.0.2.1", BOTH},
    {"Forwarded: for=unknown\nX-Forwarded-For: 192.0.2.1", BOTH},
    {"Forwarded: host=a\nX-Forwarded-Host: b", BOTH},
    {"X-Forwarded-Host: b\nForwarded: for=192.0.2.1", BOTH},
};

static void test_refusals(void **state)
{
    struct forwarded_rules rules = rules_of("10.0.0.0/8", ALL_NAMES);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        const char *shown = applied(&rules, true, refusals[i].lines);
        if (strcmp(shown, refusals[i].reason) != 0)
            fail_msg("%s\ngives %s", refusals[i].lines, shown);
    }
    forwarded_rules_done(&rules);
}

static void test_host(void **state)
{
    struct forwarded_rules rules = rules_of("10.0.0.0/8", ALL_NAMES);

    (void)state;
    assert_string_equal(
        applied(&rules, true,
                "A: 1\nHost: inner\nX-Forwarded-Host: first, Shop.Example:8443\nB: 2"),
        "10.0.0.1 1000 http 80 | A=1 Host=Shop.Example:8443 "
        "X-Forwarded-Host=first, Shop.Example:8443 B=2");
    assert_string_equal(applied(&rules, true, "Forwarded: for=192.0.2.1;host=\"[::1]:80\""),
                        "192.0.2.1  http 80 | Forwarded=for=192.0.2.1;host=\"[::1]:80\" "
                        "host=[::1]:80");
    assert_string_equal(
        applied(&rules, true, "Host: a\nForwarded: host=B.c\nX-Forwarded-Host: b.C"),
        "10.0.0.1 1000 http 80 | Host=B.c Forwarded=host=B.c X-Forwarded-Host=b.C");
    forwarded_rules_done(&rules);
}

#define CLAIMS                                                                                     \
    "Host: h\nX-Forwarded-For: 192.0.2.1\nX-Forwarded-Proto: https\nX-Forwarded-Host: evil\n"      \
    "X-Forwarded-Port: 1\nForwarded: for=192.0.2.2\nX-Real-IP: 192.0.2.3\n"                        \
    "x-client-ip: 192.0.2.4\nX-FORWARDED-Ssl: on\nX-Forwarded-Prefix: /p\nX-Forwarder: kept\n"     \
    "X-Forwarded: kept"

static const struct {
    const char *proxies, *headers;
    bool trusted;
    const char *expected;
} filters[] = {
    /* nothing was said about proxies: nothing is done */
    {NULL, FORWARDED_HEADERS, false,
     "10.0.0.1 1000 http 80 | Host=h X-Forwarded-For=192.0.2.1 X-Forwarded-Proto=https "
     "X-Forwarded-Host=evil X-Forwarded-Port=1 Forwarded=for=192.0.2.2 X-Real-IP=192.0.2.3 "
     "x-client-ip=192.0.2.4 X-FORWARDED-Ssl=on X-Forwarded-Prefix=/p X-Forwarder=kept "
     "X-Forwarded=kept"},
    {"none", FORWARDED_HEADERS, false,
     "10.0.0.1 1000 http 80 | Host=h X-Forwarder=kept X-Forwarded=kept"},
    {"10.0.0.0/8", ALL_NAMES ",x-real-ip", false,
     "10.0.0.1 1000 http 80 | Host=h X-Forwarder=kept X-Forwarded=kept"},
    {"10.0.0.0/8", FORWARDED_HEADERS, true,
     "192.0.2.1  https 80 | Host=h X-Forwarded-For=192.0.2.1 X-Forwarded-Proto=https "
     "X-Forwarder=kept X-Forwarded=kept"},
    {"10.0.0.0/8", "Forwarded", true,
     "192.0.2.2  http 80 | Host=h Forwarded=for=192.0.2.2 X-Forwarder=kept X-Forwarded=kept"},
    {"10.0.0.0/8", "x-real-ip x-client-ip,x-forwarded-prefix", true,
     "10.0.0.1 1000 http 80 | Host=h X-Real-IP=192.0.2.3 x-client-ip=192.0.2.4 "
     "X-Forwarded-Prefix=/p X-Forwarder=kept X-Forwarded=kept"},
};

static void test_filters(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        struct forwarded_rules rules = rules_of(filters[i].proxies, filters[i].headers);

        assert_string_equal(applied(&rules, filters[i].trusted, CLAIMS), filters[i].expected);
        forwarded_rules_done(&rules);
    }
}

/* With "all" the peer is believed, but not what it passes on from others. */
static void test_all(void **state)
{
    struct forwarded_rules rules = rules_of("all", FORWARDED_HEADERS);

    (void)state;
    assert_string_equal(applied(&rules, true, "X-Forwarded-For: 203.0.113.9, 192.0.2.1"),
                        "192.0.2.1  http 80 | X-Forwarded-For=203.0.113.9, 192.0.2.1");
    forwarded_rules_done(&rules);
}

/* A request without such fields is not touched, nor is memory taken. */
static void test_nothing_to_do(void **state)
{
    struct forwarded_rules rules = rules_of("10.0.0.0/8", ALL_NAMES);
    struct arena unused = {0};
    const char *reason = NULL;
    struct made m;

    (void)state;
    for (int trusted = 0; trusted < 2; trusted++) {
        make(&m, "Host: a\nAccept: b\nX-Request-ID: c\nX-Other: d");
        assert_int_equal(forwarded_apply(&rules, trusted, &m.req, &unused, &reason), 0);
        assert_ptr_equal(m.req.fields, m.fields);
        assert_null(unused.block);
        unmake(&m);
    }
    forwarded_rules_done(&rules);
}

static const char *const bad_names[] = {"",
                                        " ,",
                                        "x-foo",
                                        "host",
                                        "x-forwarded-",
                                        "x_forwarded_for",
                                        "x-forwarded-f\xf6r",
                                        "x-forwarded-a_b",
                                        "*"};

static void test_bad_rules(void **state)
{
    char word[] = "10.0.0.0/33", *items[] = {word};
    const struct liege_list wrong = {items, 1}, none = {0};
    struct forwarded_rules rules = {0};
    struct errmsg err = {""};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad_names); i++)
        if (forwarded_add_headers(&rules, bad_names[i], &err) != -EINVAL)
            fail_msg("'%s' was taken", bad_names[i]);
    assert_string_equal(err.text, "'*' is no header in which a proxy tells of its client; accepted "
                                  "are forwarded, x-real-ip, x-client-ip and names that start with "
                                  "x-forwarded-");
    assert_int_equal(forwarded_rules_init(&rules, &wrong, &none, &err), -EINVAL);
    assert_non_null(strstr(err.text, "'10.0.0.0/33' is no network"));
    forwarded_rules_done(&rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),     cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_host),      cmocka_unit_test(test_filters),
        cmocka_unit_test(test_all),       cmocka_unit_test(test_nothing_to_do),
        cmocka_unit_test(test_bad_rules),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    arena_done(&arena);
    return failed;
}
