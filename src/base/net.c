/* SPDX-License-Identifier: MIT */
/* Addresses of peers and networks, compared bit by bit. IPv4 that comes mapped into IPv6 is made
 * IPv4 where it enters, in net_addr_of_bytes(), so that one spelling of a peer cannot pass where
 * another is refused. Names are no addresses: nothing here asks a resolver. Called by the
 * configuration for its lists, by workers for each connection. */
#include "base/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FORMS                                                                                      \
    "accepted are addresses (192.0.2.1, 2001:db8::1), networks (10.0.0.0/8, 2001:db8::/32), unix " \
    "(UNIX sockets), all (every peer) and none"
#define SEPARATORS  ", \t"
#define MAPPED_BITS 96 /* before the IPv4 address */

static const uint8_t mapped[MAPPED_BITS / 8] = {[10] = 0xff, [11] = 0xff};

static unsigned address_bits(sa_family_t family)
{
    return family == AF_INET ? 32 : 128;
}

void net_addr_of_bytes(const void *bytes, size_t n, struct net_addr *ret)
{
    const uint8_t *from = bytes;

    if (n == sizeof(struct in6_addr) && memcmp(from, mapped, sizeof(mapped)) == 0) {
        from += sizeof(mapped);
        n -= sizeof(mapped);
    }
    *ret = (struct net_addr){.family = n == sizeof(struct in_addr) ? AF_INET : AF_INET6};
    memcpy(ret->bytes, from, n);
}

void net_addr_of(const struct sockaddr *sa, struct net_addr *ret)
{
    *ret = (struct net_addr){.family = AF_UNSPEC};
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)sa;
        net_addr_of_bytes(&in->sin_addr, sizeof(in->sin_addr), ret);
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)sa;
        net_addr_of_bytes(&in6->sin6_addr, sizeof(in6->sin6_addr), ret);
    } else if (sa->sa_family == AF_UNIX) {
        ret->family = AF_UNIX;
    }
}

uint16_t net_port_of(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)(const void *)sa)->sin_port);
    if (sa->sa_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)(const void *)sa)->sin6_port);
    return 0;
}

/* Like net_addr_parse(); *@ret_is_mapped: it was written as IPv6 and is IPv4. */
static int parse_address(const char *text, size_t len, struct net_addr *ret, bool *ret_is_mapped)
{
    char copy[NET_ADDR_TEXT];
    uint8_t bytes[sizeof(struct in6_addr)];

    if (len >= sizeof(copy) || memchr(text, '\0', len))
        return -EINVAL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (inet_pton(AF_INET, copy, bytes) == 1) {
        net_addr_of_bytes(bytes, sizeof(struct in_addr), ret);
        *ret_is_mapped = false;
        return 0;
    }
    if (inet_pton(AF_INET6, copy, bytes) != 1)
        return -EINVAL;
    net_addr_of_bytes(bytes, sizeof(bytes), ret);
    *ret_is_mapped = ret->family == AF_INET;
    return 0;
}

int net_addr_parse(const char *text, size_t len, struct net_addr *ret)
{
    bool is_mapped = false;

    return parse_address(text, len, ret, &is_mapped);
}

const char *net_addr_format(const struct net_addr *a, char *text)
{
    *text = '\0';
    if (a->family == AF_INET || a->family == AF_INET6)
        (void)inet_ntop(a->family, a->bytes, text, NET_ADDR_TEXT); /* there is room */
    return text;
}

bool net_addr_equal(const struct net_addr *a, const struct net_addr *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Zeroes what follows the first @n_bits. */
static void cut(struct net_addr *a, unsigned n_bits)
{
    for (size_t i = 0; i < sizeof(a->bytes); i++) {
        unsigned left = n_bits > 8 * i ? n_bits - (unsigned)(8 * i) : 0;
        a->bytes[i] &= left >= 8 ? 0xff : (uint8_t)(0xff00U >> left);
    }
}

static int parse_length(const char *text, size_t len, unsigned max, unsigned *ret)
{
    unsigned n = 0;

    if (len < 1 || len > 3 || (len > 1 && *text == '0'))
        return -EINVAL;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -EINVAL;
        n = 10 * n + (unsigned)(text[i] - '0');
    }
    *ret = n;
    return n <= max ? 0 : -EINVAL;
}

static bool is_word(const char *text, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(text, word, len) == 0;
}

static int refuse(const char *text, size_t len, struct errmsg *err)
{
    return errmsg_set(err, -EINVAL, "'%.*s' is no network; " FORMS, (int)MIN(len, (size_t)64),
                      text);
}

/* "10.0.0.0/8": the whole word is @len bytes, @slash is in it or NULL. */
static int parse_network(const char *text, size_t len, const char *slash, struct net *ret,
                         struct errmsg *err)
{
    size_t address_len = slash ? (size_t)(slash - text) : len;
    bool is_mapped = false;
    struct net net;

    if (parse_address(text, address_len, &net.base, &is_mapped) < 0)
        return refuse(text, len, err);

    unsigned written = is_mapped ? 128 : address_bits(net.base.family), n_bits = written;
    if (slash && parse_length(slash + 1, len - address_len - 1, written, &n_bits) < 0)
        return refuse(text, len, err);
    if (is_mapped && n_bits < MAPPED_BITS)
        return refuse(text, len, err); /* more than all of IPv4, less than any IPv6 network */
    net.n_bits = is_mapped ? n_bits - MAPPED_BITS : n_bits;

    struct net_addr base = net.base;
    char shown[NET_ADDR_TEXT];
    cut(&base, net.n_bits);
    if (!net_addr_equal(&base, &net.base))
        return errmsg_set(err, -EINVAL,
                          "'%.*s' is an address in the network %s/%u: write that, or "
                          "the address alone",
                          (int)len, text, net_addr_format(&base, shown), net.n_bits);
    *ret = net;
    return 0;
}

static int add(struct net_list *l, const struct net *net)
{
    struct net *items = reallocarray(l->items, l->n_items + 1, sizeof(*items));

    if (!items)
        return -ENOMEM;
    l->items = items;
    l->items[l->n_items++] = *net;
    return 0;
}

static int add_word(struct net_list *l, const char *text, size_t len, struct errmsg *err)
{
    struct net net = {.base = {.family = AF_UNSPEC}};
    int r = 0;

    if (is_word(text, len, "none"))
        return 0;
    if (is_word(text, len, "unix"))
        net.base.family = AF_UNIX;
    else if (!is_word(text, len, "all"))
        r = parse_network(text, len, memchr(text, '/', len), &net, err);
    if (r < 0)
        return r;
    r = add(l, &net);
    return r < 0 ? errmsg_set(err, r, "out of memory") : 0;
}

int net_list_add(struct net_list *l, const char *text, struct errmsg *err)
{
    size_t n_before = l->n_items, n_words = 0;

    for (;; n_words++) {
        text += strspn(text, SEPARATORS);
        size_t len = strcspn(text, SEPARATORS);
        if (len == 0)
            break;
        int r = add_word(l, text, len, err);
        if (r < 0) {
            l->n_items = n_before;
            return r;
        }
        text += len;
    }
    return n_words > 0 ? 0 : errmsg_set(err, -EINVAL, "a network is missing; " FORMS);
}

void net_list_done(struct net_list *l)
{
    free(l->items);
    *l = (struct net_list){0};
}

static bool is_in(const struct net *net, const struct net_addr *a)
{
    struct net_addr start = *a;

    if (net->base.family != a->family)
        return false;
    cut(&start, net->n_bits);
    return net_addr_equal(&start, &net->base);
}

bool net_list_names(const struct net_list *l, const struct net_addr *a)
{
    for (size_t i = 0; i < l->n_items; i++)
        if (a->family != AF_UNSPEC && is_in(&l->items[i], a))
            return true;
    return false;
}

bool net_list_has(const struct net_list *l, const struct net_addr *a)
{
    for (size_t i = 0; i < l->n_items; i++)
        if (l->items[i].base.family == AF_UNSPEC)
            return true;
    return net_list_names(l, a);
}
