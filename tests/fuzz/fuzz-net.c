/* SPDX-License-Identifier: MIT */
/* Any bytes as a list of networks. Each network that is taken holds its own base, and what is shown
 * of an address is read as that address. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct net_list *l, const struct net *net)
{
    struct net_addr again;
    char text[NET_ADDR_TEXT];

    assert(net_list_has(l, &net->base));
    if (net->base.family != AF_INET && net->base.family != AF_INET6)
        return;
    (void)net_addr_format(&net->base, text);
    int r = net_addr_parse(text, strlen(text), &again);
    assert(r == 0 && net_addr_equal(&again, &net->base));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct net_list l = {0};
    struct errmsg err = {""};
    char *text = strndup((const char *)data, size);

    assert(text);
    int r = net_list_add(&l, text, &err);
    assert((r == 0) == (err.text[0] == '\0'));
    assert(r == 0 || l.n_items == 0);
    for (size_t i = 0; i < l.n_items; i++)
        check(&l, &l.items[i]);
    net_list_done(&l);
    free(text);
    return 0;
}
