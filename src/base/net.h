/* SPDX-License-Identifier: MIT */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/errmsg.h"
#include "base/macro.h"

/* Who a peer is, and which networks it belongs to. An IPv4 address that comes as IPv6
 * ("::ffff:192.0.2.1", RFC 4291 section 2.5.5.2) is the IPv4 address. */

struct net_addr {
    sa_family_t family; /* AF_INET, AF_INET6, AF_UNIX, or AF_UNSPEC: not known */
    uint8_t bytes[16];  /* in network order: the first 4 of AF_INET, all 16 of AF_INET6; else 0 */
};

/* Room for the text of any address. */
#define NET_ADDR_TEXT INET6_ADDRSTRLEN

/* The peer that accept(2) or getpeername(2) names. */
void net_addr_of(const struct sockaddr *sa, struct net_addr *ret);

/* Its port, 0 for a UNIX socket. */
uint16_t net_port_of(const struct sockaddr *sa);

/* Makes the address of the @n bytes at @bytes: 4 of IPv4 or 16 of IPv6. */
void net_addr_of_bytes(const void *bytes, size_t n, struct net_addr *ret);

/* Reads an address without port and brackets, "192.0.2.1" or "2001:db8::1"; an IPv4 address has
 * four decimal numbers without leading zeros, an IPv6 address no zone. Returns 0 or -EINVAL. */
int net_addr_parse(const char *text, size_t len, struct net_addr *ret) _must_check_;

/* Writes the address, IPv6 as RFC 5952 says; "" for a UNIX socket and for one not known. Returns
 * @text, which has room for NET_ADDR_TEXT bytes. */
const char *net_addr_format(const struct net_addr *a, char *text);

bool net_addr_equal(const struct net_addr *a, const struct net_addr *b);

/* Networks as a configuration lists them. All zero is an empty list, to which nobody belongs. */
struct net {
    struct net_addr base; /* AF_UNSPEC: of every peer ("all") */
    unsigned n_bits;      /* that an address has in common with the base */
};

struct net_list {
    struct net *items;
    size_t n_items;
};

/* Adds what @text says: one or more, separated by commas or blanks, of
 *   192.0.2.1  2001:db8::1      an address
 *   10.0.0.0/8  2001:db8::/32   a network (RFC 4632 section 3.1, RFC 4291 section 2.3)
 *   unix                        peers on UNIX sockets
 *   all                         every peer
 *   none                        adds nothing
 * Returns 0, or -EINVAL or -ENOMEM with @err, which names the word and what is accepted; the list
 * is then as it was. */
int net_list_add(struct net_list *l, const char *text, struct errmsg *err) _must_check_;
void net_list_done(struct net_list *l);

/* True if @a belongs to one of the networks. An IPv6 network holds no IPv4 address. */
bool net_list_has(const struct net_list *l, const struct net_addr *a);

/* The same, but "all" counts for nothing. */
bool net_list_names(const struct net_list *l, const struct net_addr *a);
