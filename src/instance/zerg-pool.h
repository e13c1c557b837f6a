/* SPDX-License-Identifier: MIT */
#pragma once

#include "instance/instance-conf.h"
#include "instance/listen.h"
#include "instance/zerg-server.h"

/* Sockets that an instance only opens, for others to serve (zerg-pool = PATH:ADDRESS,ADDRESS...):
 * these may come and go, and with them their configurations, while the sockets stay. */

struct zerg_pool {
    struct zerg_server server;
    struct listeners sockets;
};

struct zerg_pools {
    struct zerg_pool *items;
    size_t n_items;
};

/* Makes those sockets of @conf that are not there yet and are due in this @phase. Returns 0, or a
 * negative errno with @err; what is there is to be closed either way. */
int zerg_pools_open(struct zerg_pools *p, const struct instance_conf *conf, enum listen_phase phase,
                    struct errmsg *err) _must_check_;

/* Gives them to whoever asks, from now on. Returns 0, or a negative errno with @err. */
int zerg_pools_serve(struct zerg_pools *p, const struct instance_conf *conf, struct loop *loop,
                     struct errmsg *err) _must_check_;

void zerg_pools_close(struct zerg_pools *p);
