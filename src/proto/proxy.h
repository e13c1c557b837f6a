/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"
#include "base/net.h"

/* The PROXY protocol, versions 1 (a line of text) and 2 (binary): how a proxy that passes bytes
 * says at the start of a connection for whom it opened it. Source: HAProxy's
 * doc/proxy-protocol.txt, sections 2.1 and 2.2. Pure: no sockets, no memory, no log. */

/* The longest header that is taken. The specification keeps senders below 536 bytes; some add
 * longer TLVs of their own. */
#define PROXY_MAX_BYTES 4096

enum proxy_state {
    PROXY_MORE,    /* more bytes are needed */
    PROXY_DONE,    /* the header is complete */
    PROXY_REFUSED, /* close the connection; @reason is for the log */
};

struct proxy_header {
    size_t len; /* of the header; what follows belongs to the connection */

    /* False: the proxy speaks for itself (LOCAL: a health check) or does not know for whom
     * (UNKNOWN, UNSPEC): the socket's own addresses count. */
    bool has_addresses;
    struct net_addr source, destination; /* AF_UNIX: without a path */
    uint16_t source_port, destination_port;

    /* The client used TLS to reach the proxy (PP2_TYPE_SSL with PP2_CLIENT_SSL). Without @has_tls
     * the proxy says nothing about that; version 1 never does. */
    bool has_tls, tls;

    const char *reason; /* with PROXY_REFUSED; static */
};

/* Parses the first @len bytes of a connection, all that have come so far. They may stand elsewhere
 * at the next call; nothing is kept between calls. *@ret is filled with PROXY_DONE, and its reason
 * with PROXY_REFUSED. A connection that ends at PROXY_MORE was cut off. */
enum proxy_state proxy_parse(const char *data, size_t len, struct proxy_header *ret) _must_check_;
