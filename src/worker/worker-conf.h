/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "liege/option.h"

/* Options of workers: how requests are read, limited, answered and logged. */
struct worker_conf {
    uint64_t max_head_bytes;
    uint64_t max_target_bytes;
    uint64_t max_field_bytes;
    uint64_t max_fields;
    uint64_t max_body_bytes;
    uint64_t body_memory_bytes;

    uint64_t head_timeout_us;
    uint64_t keepalive_timeout_us;
    uint64_t socket_timeout_us;
    uint64_t min_rate; /* bytes a second */
    uint64_t harakiri_us;
    uint64_t heartbeat_us; /* the vassal's; 0: none */
    uint64_t overload_wait_us;

    uint64_t threads;
    uint64_t max_waiting;
    uint64_t max_requests, max_requests_delta;
    uint64_t refork_after; /* requests; 0: never */
    uint64_t reshare_after_us;
    uint64_t max_worker_lifetime_us, max_worker_lifetime_delta_us;
    uint64_t reload_on_rss, reload_on_pss; /* bytes */

    /* Each checked when the configuration is loaded. */
    struct liege_list trusted_proxies, trusted_proxy_headers; /* for forwarded_rules_init() */
    struct liege_list proxy_protocol_peers;                   /* for net_list_add() */

    bool disable_logging;
    bool json_log;
    char *log_format; /* NULL: liege's own line */
};

extern const struct liege_option worker_options[];
extern const size_t worker_n_options;
