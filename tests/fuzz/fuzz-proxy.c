/* SPDX-License-Identifier: MIT */
/* Any bytes as the start of a connection that must have a PROXY header. What is found must not
 * depend on how many bytes come at a time, and more bytes change nothing about a complete one. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/proxy.h"

#define MAX_BYTES 5000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Only the @len bytes, so that the sanitizer sees a read behind them. */
static enum proxy_state parse(const uint8_t *data, size_t len, struct proxy_header *ret)
{
    char *copy = malloc(len + 1);

    assert(copy);
    *ret = (struct proxy_header){0};
    if (len > 0)
        memcpy(copy + 1, data, len);
    enum proxy_state state = proxy_parse(copy + 1, len, ret);
    free(copy);
    return state;
}

static void check_done(const struct proxy_header *h, size_t len)
{
    char text[NET_ADDR_TEXT];

    assert(h->len >= 15 && h->len <= len && h->len <= PROXY_MAX_BYTES);
    assert(h->has_tls || !h->tls);
    if (h->has_addresses)
        assert(h->source.family == h->destination.family || h->source.family != AF_UNIX);
    assert(strlen(net_addr_format(&h->source, text)) < sizeof(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header whole, part;

    if (size > MAX_BYTES)
        return 0;
    enum proxy_state state = parse(data, size, &whole);
    size_t end = state == PROXY_DONE ? whole.len : size;
    if (state == PROXY_DONE)
        check_done(&whole, size);
    for (size_t len = 0; len < end; len++) {
        enum proxy_state early = parse(data, len, &part);
        if (early == PROXY_REFUSED) {
            assert(state == PROXY_REFUSED && part.reason && part.reason == whole.reason);
            return 0;
        }
        assert(early == PROXY_MORE);
    }
    if (state == PROXY_DONE) {
        assert(parse(data, end, &part) == PROXY_DONE);
        assert(memcmp(&part, &whole, sizeof(part)) == 0);
    }
    return 0;
}
