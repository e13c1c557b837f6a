/* SPDX-License-Identifier: MIT */
/* A pool is the sockets of a configuration that names nothing else. They are the master's alone: no
 * worker of its own has them. */
#include "instance/zerg-pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strv.h"

/* The text in front of the first colon, which the caller frees; *@ret_addresses is what follows it.
 * NULL: no memory. That there is one was checked when the configuration was loaded. */
static char *split(const char *value, const char **ret_addresses)
{
    size_t len = strcspn(value, ":");

    *ret_addresses = value + len + (value[len] == ':');
    return strndup(value, len);
}

static int add_addresses(const char *addresses, struct liege_list *ret)
{
    int r = 0;

    while (r == 0 && *addresses != '\0') {
        size_t len = strcspn(addresses, ",");
        r = strv_appendf(ret, "%.*s", (int)len, addresses);
        addresses += len + (addresses[len] == ',');
    }
    return r;
}

static int open_pool(struct zerg_pool *p, const char *value, const struct instance_conf *conf,
                     enum listen_phase phase, struct errmsg *err)
{
    struct instance_conf sockets = {
        .backlog = conf->backlog,
        .chmod_socket = conf->chmod_socket,
        .chown_socket = conf->chown_socket,
        .vacuum = conf->vacuum,
    };
    const char *addresses = NULL;
    char *path = split(value, &addresses);
    int r = path ? add_addresses(addresses, &sockets.uwsgi_sockets) : -ENOMEM;

    free(path);
    if (r < 0)
        r = errmsg_set(err, r, "out of memory");
    else
        r = listeners_open(&p->sockets, &sockets, NULL, phase, err);
    strv_done(&sockets.uwsgi_sockets);
    return r < 0 ? errmsg_prefix(err, r, "zerg-pool = %s", value) : 0;
}

int zerg_pools_open(struct zerg_pools *p, const struct instance_conf *conf, enum listen_phase phase,
                    struct errmsg *err)
{
    const struct liege_list *list = &conf->zerg_pools;
    int r = 0;

    if (!p->items && list->n_items > 0) {
        p->items = calloc(list->n_items, sizeof(*p->items));
        if (!p->items)
            return errmsg_set(err, -ENOMEM, "out of memory");
        p->n_items = list->n_items;
        for (size_t i = 0; i < p->n_items; i++)
            zerg_server_init(&p->items[i].server);
    }
    for (size_t i = 0; i < p->n_items && r == 0; i++)
        r = open_pool(&p->items[i], list->items[i], conf, phase, err);
    return r;
}

static const struct listeners *find_sockets(void *data)
{
    const struct zerg_pool *p = data;

    return &p->sockets;
}

int zerg_pools_serve(struct zerg_pools *p, const struct instance_conf *conf, struct loop *loop,
                     struct errmsg *err)
{
    int r = 0;

    for (size_t i = 0; i < p->n_items && r == 0; i++) {
        const char *addresses = NULL;
        _cleanup_free_ char *path = split(conf->zerg_pools.items[i], &addresses);
        r = path ? zerg_server_open(&p->items[i].server, loop, "zerg-pool", path, find_sockets,
                                    &p->items[i], err)
                 : errmsg_set(err, -ENOMEM, "out of memory");
    }
    return r;
}

void zerg_pools_close(struct zerg_pools *p)
{
    for (size_t i = 0; i < p->n_items; i++) {
        zerg_server_close(&p->items[i].server);
        listeners_release(&p->items[i].sockets);
    }
    free(p->items);
    *p = (struct zerg_pools){.n_items = 0};
}
