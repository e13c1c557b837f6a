/* SPDX-License-Identifier: MIT */
/* The fields by which proxies tell of the client. Whoever can write them is whoever he says he is,
 * so everything turns on who wrote what: fields that no trusted proxy writes are removed, of lists
 * that each proxy extends the part after the first stranger counts, and what does not parse is
 * refused. Both kinds of lists are read from left to right in one pass: a stranger makes all before
 * him worthless, so the last one stays.
 *
 * A request without such fields costs one look at the id of each field. */
#include "http/forwarded.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/strv.h"
#include "http/field.h"
#include "http/text.h"
#include "http/url.h"

#define SEPARATORS      ", \t"
#define PREFIX          "x-forwarded-"
#define PREFIX_LEN      (sizeof(PREFIX) - 1)
#define MAX_PORT        65535
#define BIT(id)         (1ULL << LIEGE_FIELD_##id)
#define HAS_FORWARDED   BIT(FORWARDED)
#define HAS_X_FORWARDED (BIT(X_FORWARDED_FOR) | BIT(X_FORWARDED_PROTO) | BIT(X_FORWARDED_HOST))
#define KNOWN_NAMES     (HAS_FORWARDED | HAS_X_FORWARDED | BIT(X_FORWARDED_PORT) | BIT(X_REAL_IP))

enum who {
    WHO_NOT_GIVEN,
    WHO_HIDDEN, /* the proxy does not know, or does not say */
    WHO_KNOWN,
    WHO_MALFORMED,
};

/* A hop of the list, as the proxy that it reached names it. */
struct node {
    enum who who;
    struct net_addr addr;
    struct liege_str port; /* may be empty */
};

/* What a family of fields says. */
struct facts {
    struct node client;
    struct liege_str scheme, host, port; /* empty: not said */
};

static int refuse(const char **ret_reason, const char *reason)
{
    *ret_reason = reason;
    return -EINVAL;
}

/* Which fields */

static bool is_about_clients(enum liege_field_id id, struct liege_str name)
{
    if (id != LIEGE_FIELD_OTHER)
        return (KNOWN_NAMES >> id) & 1;
    return (name.len > PREFIX_LEN && http_equal(http_str(name.data, PREFIX_LEN), PREFIX)) ||
           http_equal(name, "x-client-ip");
}

static bool is_written(const struct forwarded_rules *rules, const struct liege_field *f)
{
    if (f->id != LIEGE_FIELD_OTHER)
        return (rules->written >> f->id) & 1;
    for (size_t i = 0; i < rules->other.n_items; i++)
        if (http_equal(f->name, rules->other.items[i]))
            return true;
    return false;
}

static int add_header(struct forwarded_rules *rules, struct liege_str name, struct errmsg *err)
{
    enum liege_field_id id = http_field_id(name.data, name.len);

    if (!is_about_clients(id, name) || !http_all(name.data, name.len, HTTP_CLASS_TOKEN) ||
        memchr(name.data, '_', name.len))
        return errmsg_set(err, -EINVAL,
                          "'%.*s' is no header in which a proxy tells of its client; accepted are "
                          "forwarded, x-real-ip, x-client-ip and names that start with " PREFIX,
                          (int)MIN(name.len, (size_t)64), name.data);
    if (id != LIEGE_FIELD_OTHER)
        rules->written |= 1ULL << id;
    else if (strv_appendf(&rules->other, "%.*s", (int)name.len, name.data) < 0)
        return errmsg_set(err, -ENOMEM, "out of memory");
    return 0;
}

int forwarded_add_headers(struct forwarded_rules *rules, const char *text, struct errmsg *err)
{
    size_t n_words = 0;

    for (;; n_words++) {
        text += strspn(text, SEPARATORS);
        size_t len = strcspn(text, SEPARATORS);
        if (len == 0)
            break;
        int r = add_header(rules, http_str(text, len), err);
        if (r < 0)
            return r;
        text += len;
    }
    return n_words > 0 ? 0 : errmsg_set(err, -EINVAL, "a header is missing");
}

int forwarded_rules_init(struct forwarded_rules *ret, const struct liege_list *proxies,
                         const struct liege_list *headers, struct errmsg *err)
{
    int r = 0;

    *ret = (struct forwarded_rules){.active = proxies->n_items > 0};
    for (size_t i = 0; r == 0 && i < proxies->n_items; i++)
        r = net_list_add(&ret->proxies, proxies->items[i], err);
    for (size_t i = 0; r == 0 && i < headers->n_items; i++)
        r = forwarded_add_headers(ret, headers->items[i], err);
    return r;
}

void forwarded_rules_done(struct forwarded_rules *rules)
{
    net_list_done(&rules->proxies);
    strv_done(&rules->other);
    *rules = (struct forwarded_rules){0};
}

/* What stands in them */

static bool is_port(struct liege_str text)
{
    unsigned n = 0;

    if (text.len < 1 || text.len > 5 || !http_all(text.data, text.len, HTTP_CLASS_DIGIT))
        return false;
    for (size_t i = 0; i < text.len; i++)
        n = 10 * n + (unsigned)(text.data[i] - '0');
    return n <= MAX_PORT;
}

/* "_name" (RFC 7239 section 6.3): letters, digits, '.', '_' and '-'. */
static bool is_obfuscated(struct liege_str text)
{
    if (text.len < 2 || *text.data != '_')
        return false;
    for (size_t i = 1; i < text.len; i++)
        if (!http_is(text.data[i], HTTP_CLASS_HOST) || text.data[i] == '~')
            return false;
    return true;
}

/* Reads ":80" or ":_name" behind an address, or nothing. */
static bool read_port(struct liege_str text, struct liege_str *ret)
{
    *ret = http_str("", 0);
    if (text.len == 0)
        return true;
    if (*text.data != ':')
        return false;
    text = http_str(text.data + 1, text.len - 1);
    if (is_obfuscated(text))
        return true;
    *ret = text;
    return is_port(text);
}

/* How long the address in front of the port is, with its brackets. */
static size_t address_len(struct liege_str text)
{
    const char *end = memchr(text.data, text.data[0] == '[' ? ']' : ':', text.len);

    if (!end)
        return text.len;
    return (size_t)(end - text.data) + (text.data[0] == '[');
}

static bool read_address(struct liege_str text, struct net_addr *ret)
{
    bool brackets = text.len > 2 && text.data[0] == '[' && text.data[text.len - 1] == ']';

    if (!brackets)
        return net_addr_parse(text.data, text.len, ret) == 0;
    return memchr(text.data, ':', text.len) &&
           net_addr_parse(text.data + 1, text.len - 2, ret) == 0;
}

/* A node of RFC 7239 section 6: an address, "unknown" or an obfuscated name, perhaps with a port.
 * @bare: an IPv6 address may stand without brackets, as X-Forwarded-For has them. */
static struct node read_node(struct liege_str text, bool bare)
{
    struct node node = {.who = WHO_MALFORMED};
    struct liege_str name;

    if (text.len == 0)
        return node;
    if (bare && net_addr_parse(text.data, text.len, &node.addr) == 0) {
        node.who = WHO_KNOWN;
        return node;
    }
    name = http_str(text.data, address_len(text));
    if (!read_port(http_str(text.data + name.len, text.len - name.len), &node.port))
        return node;
    if (http_equal(name, "unknown") || is_obfuscated(name))
        node = (struct node){.who = WHO_HIDDEN};
    else if (read_address(name, &node.addr))
        node.who = WHO_KNOWN;
    return node;
}

/* True if what stands before this hop may be believed. */
static bool is_proxy(const struct forwarded_rules *rules, const struct node *node)
{
    return node->who == WHO_KNOWN && net_list_names(&rules->proxies, &node->addr);
}

static bool read_scheme(struct liege_str text, struct liege_str *ret)
{
    /* what some proxies say of a WebSocket: that of the request that opens it */
    static const char *const schemes[][2] = {
        {"https", "https"}, {"http", "http"}, {"wss", "https"}, {"ws", "http"}};

    for (size_t i = 0; i < COUNT_OF(schemes); i++)
        if (http_equal(text, schemes[i][0])) {
            *ret = http_str(schemes[i][1], strlen(schemes[i][1]));
            return true;
        }
    return false;
}

static bool read_host(struct liege_str text, struct liege_str *ret)
{
    struct liege_str name, port;

    if (!http_host_is_valid(text))
        return false;
    http_host_split(text, &name, &port);
    *ret = text;
    return name.len > 0;
}

/* X-Forwarded-* */

static struct node read_hops(const struct forwarded_rules *rules, struct liege_str value)
{
    struct node client = {.who = WHO_NOT_GIVEN};
    struct liege_str item;

    while (http_list_next(&value, &item)) {
        struct node node = read_node(item, true);
        if (client.who == WHO_NOT_GIVEN || !is_proxy(rules, &node))
            client = node;
    }
    return client;
}

/* The last item of a list, or nothing. */
static struct liege_str last_item(struct liege_str value)
{
    struct liege_str item = http_str("", 0);

    while (http_list_next(&value, &item))
        ;
    return item;
}

static int read_x_field(const struct forwarded_rules *rules, const struct liege_field *f,
                        struct facts *facts, const char **ret_reason)
{
    struct liege_str last = last_item(f->value);

    if (last.len == 0)
        return 0;
    switch (f->id) {
    case LIEGE_FIELD_X_FORWARDED_FOR:
        facts->client = read_hops(rules, f->value);
        if (facts->client.who == WHO_MALFORMED)
            return refuse(ret_reason, "X-Forwarded-For of a trusted proxy has no address there");
        return 0;
    case LIEGE_FIELD_X_FORWARDED_PROTO:
        if (!read_scheme(last, &facts->scheme))
            return refuse(ret_reason, "X-Forwarded-Proto is neither http nor https");
        return 0;
    case LIEGE_FIELD_X_FORWARDED_HOST:
        if (!read_host(last, &facts->host))
            return refuse(ret_reason, "X-Forwarded-Host is not a host name or address");
        return 0;
    case LIEGE_FIELD_X_FORWARDED_PORT:
        facts->port = last;
        return is_port(last) ? 0 : refuse(ret_reason, "X-Forwarded-Port is not a port");
    default:
        return 0;
    }
}

/* Forwarded (RFC 7239 section 4) */

struct element {
    struct liege_str client, scheme, host; /* data is NULL: not there */
    bool by;
    bool empty;
};

static void skip_blanks(struct liege_str *rest)
{
    while (rest->len > 0 && (*rest->data == ' ' || *rest->data == '\t'))
        *rest = http_str(rest->data + 1, rest->len - 1);
}

static struct liege_str take(struct liege_str *rest, size_t len)
{
    struct liege_str taken = http_str(rest->data, len);

    *rest = http_str(rest->data + len, rest->len - len);
    return taken;
}

static struct liege_str take_token(struct liege_str *rest)
{
    size_t len = 0;

    while (len < rest->len && http_is(rest->data[len], HTTP_CLASS_TOKEN))
        len++;
    return take(rest, len);
}

/* Takes a quoted string, without its quotes. *@ret_escaped: a backslash is in it. */
static bool take_quoted(struct liege_str *rest, struct liege_str *ret, bool *ret_escaped)
{
    size_t len = 1;

    *ret_escaped = false;
    while (len < rest->len && rest->data[len] != '"') {
        bool escape = rest->data[len] == '\\';
        *ret_escaped |= escape;
        len += escape ? 2 : 1;
    }
    if (len >= rest->len)
        return false;
    struct liege_str quoted = take(rest, len + 1);
    *ret = http_str(quoted.data + 1, len - 1);
    return true;
}

/* Each parameter at most once (section 4); of those we read, no escapes: nothing in them needs any,
 * and who ignores the backslash would see another value. */
static bool note_parameter(struct element *e, struct liege_str name, struct liege_str value,
                           bool escaped)
{
    struct liege_str *const slots[] = {&e->client, &e->scheme, &e->host};
    static const char *const names[] = {"for", "proto", "host"};

    for (size_t i = 0; i < COUNT_OF(slots); i++) {
        if (!http_equal(name, names[i]))
            continue;
        if (slots[i]->data || escaped)
            return false;
        *slots[i] = value;
        return true;
    }
    if (!http_equal(name, "by"))
        return true;
    bool first = !e->by;
    e->by = true;
    return first;
}

static bool take_parameter(struct liege_str *rest, struct element *e)
{
    struct liege_str name = take_token(rest), value = http_str("", 0);
    bool escaped = false;

    if (name.len == 0 || rest->len == 0 || *rest->data != '=')
        return false;
    (void)take(rest, 1);
    if (rest->len > 0 && *rest->data == '"') {
        if (!take_quoted(rest, &value, &escaped))
            return false;
    } else {
        value = take_token(rest);
    }
    return value.len > 0 && note_parameter(e, name, value, escaped);
}

/* Takes an element and the comma behind it. Blanks around ';' are taken, as many send them. */
static bool take_element(struct liege_str *rest, struct element *e)
{
    *e = (struct element){.empty = true};
    for (;;) {
        skip_blanks(rest);
        if (rest->len > 0 && *rest->data != ';' && *rest->data != ',') {
            if (!take_parameter(rest, e))
                return false;
            e->empty = false;
            skip_blanks(rest);
        }
        if (rest->len == 0)
            return true;
        char separator = *take(rest, 1).data;
        if (separator == ',')
            return true;
        if (separator != ';')
            return false;
    }
}

static int read_forwarded(const struct forwarded_rules *rules, struct liege_str value,
                          struct facts *facts, const char **ret_reason)
{
    struct element e, chosen = {.empty = true};
    struct node client = {.who = WHO_NOT_GIVEN};

    while (value.len > 0) {
        if (!take_element(&value, &e))
            return refuse(ret_reason, "Forwarded is malformed (RFC 7239 section 4)");
        if (e.empty)
            continue;
        struct node node = {.who = WHO_NOT_GIVEN};
        if (e.client.data)
            node = read_node(e.client, false);
        if (!chosen.empty && is_proxy(rules, &node))
            continue;
        chosen = e;
        client = node;
    }
    facts->client = client;
    if (client.who == WHO_MALFORMED)
        return refuse(ret_reason, "for= of Forwarded is not a node (RFC 7239 section 6)");
    if (chosen.scheme.data && !read_scheme(chosen.scheme, &facts->scheme))
        return refuse(ret_reason, "proto= of Forwarded is neither http nor https");
    if (chosen.host.data && !read_host(chosen.host, &facts->host))
        return refuse(ret_reason, "host= of Forwarded is not a host name or address");
    return 0;
}

/* What follows from it */

static bool is_same(const struct facts *a, const struct facts *b)
{
    return a->client.who == b->client.who && net_addr_equal(&a->client.addr, &b->client.addr) &&
           http_equal_nocase(a->scheme, b->scheme) && http_equal_nocase(a->host, b->host);
}

/* Reads the fields of @req whose bits are in @present. */
static int read_facts(const struct forwarded_rules *rules, const struct liege_request *req,
                      uint64_t present, struct facts *ret, const char **ret_reason)
{
    struct facts forwarded = {0}, x = {0};

    for (size_t i = 0; i < req->n_fields; i++) {
        const struct liege_field *f = &req->fields[i];
        int r = 0;
        if (f->id == LIEGE_FIELD_OTHER || !((present >> f->id) & 1))
            continue;
        if (f->id == LIEGE_FIELD_FORWARDED)
            r = read_forwarded(rules, f->value, &forwarded, ret_reason);
        else
            r = read_x_field(rules, f, &x, ret_reason);
        if (r < 0)
            return r;
    }
    if ((present & HAS_FORWARDED) && (present & HAS_X_FORWARDED) && !is_same(&forwarded, &x))
        return refuse(ret_reason, "Forwarded and X-Forwarded-* of a trusted proxy disagree");

    *ret = present & HAS_FORWARDED ? forwarded : x;
    ret->port = x.port;
    if (ret->client.port.len == 0)
        ret->client.port = x.client.port;
    return 0;
}

/* Gives @req a table of its fields without those that can only be a client's, and with @host. */
static void rewrite_fields(const struct forwarded_rules *rules, bool trusted,
                           struct liege_request *req, struct liege_str host, struct arena *arena)
{
    struct liege_field *fields = arena_alloc(arena, (req->n_fields + 1) * sizeof(*fields));
    bool has_host = false;
    size_t n = 0;

    for (size_t i = 0; i < req->n_fields; i++) {
        const struct liege_field *f = &req->fields[i];
        if (is_about_clients(f->id, f->name) && !(trusted && is_written(rules, f)))
            continue;
        fields[n] = *f;
        if (f->id == LIEGE_FIELD_HOST && host.len > 0) {
            fields[n].value = host;
            has_host = true;
        }
        n++;
    }
    if (host.len > 0 && !has_host)
        fields[n++] = (struct liege_field){
            .name = http_str("host", 4), .value = host, .id = LIEGE_FIELD_HOST};
    req->fields = fields;
    req->n_fields = n;
}

static void apply(struct liege_request *req, const struct facts *facts, struct arena *arena)
{
    if (facts->client.who != WHO_NOT_GIVEN) {
        char *text = arena_alloc(arena, NET_ADDR_TEXT);
        (void)net_addr_format(&facts->client.addr, text); /* nothing for one that is hidden */
        req->remote_addr = http_str(text, strlen(text));
        req->remote_port = facts->client.port;
    }
    if (facts->scheme.len > 0)
        req->scheme = facts->scheme;
    if (facts->port.len > 0)
        req->server_port = facts->port;
}

int forwarded_apply(const struct forwarded_rules *rules, bool trusted, struct liege_request *req,
                    struct arena *arena, const char **ret_reason)
{
    struct facts facts = {0};
    uint64_t present = 0; /* to be read */
    bool dropping = false;

    if (!rules->active)
        return 0;
    for (size_t i = 0; i < req->n_fields; i++) {
        const struct liege_field *f = &req->fields[i];
        if (!is_about_clients(f->id, f->name))
            continue;
        if (!trusted || !is_written(rules, f))
            dropping = true;
        else if (f->id != LIEGE_FIELD_OTHER)
            present |= 1ULL << f->id;
    }
    if (present != 0) {
        int r = read_facts(rules, req, present, &facts, ret_reason);
        if (r < 0)
            return r;
        apply(req, &facts, arena);
    }
    if (dropping || facts.host.len > 0)
        rewrite_fields(rules, trusted, req, facts.host, arena);
    return 0;
}
