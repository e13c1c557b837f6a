/* SPDX-License-Identifier: MIT */
/* Any bytes as what proxies and clients say of the client. The first byte says who the peer is and
 * which fields it writes; the rest are names (a byte each) and values, separated by 0xff. What the
 * application gets is an address, a port, a scheme and a host, or what it had; and nothing that a
 * client put before what a trusted proxy wrote changes it. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "http/field.h"
#include "http/forwarded.h"
#include "http/text.h"
#include "http/url.h"

#define MAX_FIELDS 8
#define N_HEADERS  (sizeof(headers) / sizeof(headers[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
    "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port",
    "forwarded",       "x-real-ip",         "x-client-ip",      "host",
};
static const char *const headers[] = {
    FORWARDED_HEADERS,
    "forwarded",
    "x-forwarded-for,x-forwarded-proto,x-forwarded-host,x-forwarded-port",
    "x-forwarded-for,x-forwarded-proto,x-forwarded-host,x-forwarded-port,forwarded",
};

static void set_up(struct forwarded_rules *rules, unsigned which)
{
    char network[] = "10.0.0.0/8,fd00::/8", *proxies[] = {network};
    char *words[] = {strdup(headers[which % N_HEADERS])};
    const struct liege_list p = {proxies, 1}, h = {words, 1};

    int r = forwarded_rules_init(rules, &p, &h, NULL);
    assert(r == 0);
    free(words[0]);
}

static size_t fill(struct liege_field *fields, const char *at, const char *end)
{
    size_t n = 0;

    while (at < end && n < MAX_FIELDS) {
        const char *name = names[(unsigned char)*at % (sizeof(names) / sizeof(names[0]))];
        const char *start = at + 1, *stop = memchr(start, 0xff, (size_t)(end - start));
        size_t len = (size_t)((stop ? stop : end) - start);
        fields[n++] = (struct liege_field){
            .name = http_str(name, strlen(name)),
            .value = http_trim(http_str(start, len)),
            .id = http_field_id(name, strlen(name)),
        };
        at = start + len + 1;
    }
    return n;
}

static void check(const struct liege_request *req, bool trusted)
{
    struct net_addr a;

    assert(req->remote_addr.len == 0 ||
           net_addr_parse(req->remote_addr.data, req->remote_addr.len, &a) == 0);
    assert(req->remote_port.len <= 5 && req->server_port.len <= 5);
    assert(http_all(req->remote_port.data, req->remote_port.len, HTTP_CLASS_DIGIT));
    assert(http_all(req->server_port.data, req->server_port.len, HTTP_CLASS_DIGIT));
    assert(http_equal(req->scheme, "http") || (trusted && http_equal(req->scheme, "https")));
    if (!trusted)
        assert(http_equal(req->remote_addr, "192.0.2.77"));
    for (size_t i = 0; i < req->n_fields && !trusted; i++)
        assert(req->fields[i].id == LIEGE_FIELD_HOST);
}

static struct liege_request request(const struct liege_field *fields, size_t n)
{
    return (struct liege_request){
        .scheme = http_str("http", 4),
        .server_port = http_str("80", 2),
        .remote_addr = http_str("192.0.2.77", 10),
        .remote_port = http_str("1", 1),
        .fields = fields,
        .n_fields = n,
    };
}

static bool is_same(struct liege_str a, struct liege_str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* A trusted proxy adds a client's address to whatever the client sent: that is who it is. */
static void check_appended(const struct forwarded_rules *rules, struct liege_str sent,
                           struct arena *arena)
{
    static const char added[] = ", 203.0.113.5";
    char *value = arena_alloc(arena, sent.len + sizeof(added));
    const char *reason = NULL;
    struct liege_field field = {.name = http_str(names[0], strlen(names[0])),
                                .id = LIEGE_FIELD_X_FORWARDED_FOR};
    struct liege_request req = request(&field, 1);

    memcpy(value, sent.data, sent.len);
    memcpy(value + sent.len, added, sizeof(added));
    field.value = http_str(value, sent.len + sizeof(added) - 1);
    if (!((rules->written >> LIEGE_FIELD_X_FORWARDED_FOR) & 1))
        return;
    int r = forwarded_apply(rules, true, &req, arena, &reason);
    assert(r == 0 && http_equal(req.remote_addr, "203.0.113.5"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct liege_field merged[MAX_FIELDS];
    struct forwarded_rules rules;
    struct arena arena = {0};
    const char *reason = NULL;

    if (size < 1)
        return 0;
    bool trusted = data[0] & 1;
    set_up(&rules, data[0] >> 1);
    size_t n = fill(merged, (const char *)data + 1, (const char *)data + size);
    n = http_fields_merge(merged, n, &arena, NULL);
    struct liege_request req = request(merged, n), before = req;
    int r = forwarded_apply(&rules, trusted, &req, &arena, &reason);
    assert(r == 0 || (r == -EINVAL && trusted && reason));
    if (r == 0)
        check(&req, trusted);
    else
        assert(memcmp(&req, &before, sizeof(req)) == 0);
    for (size_t i = 0; i < req.n_fields && r == 0; i++)
        if (req.fields[i].id == LIEGE_FIELD_HOST && before.n_fields == req.n_fields &&
            !is_same(req.fields[i].value, merged[i].value))
            assert(http_host_is_valid(req.fields[i].value));
    for (size_t i = 0; i < n; i++)
        if (merged[i].id == LIEGE_FIELD_X_FORWARDED_FOR)
            check_appended(&rules, merged[i].value, &arena);
    arena_done(&arena);
    forwarded_rules_done(&rules);
    return 0;
}
