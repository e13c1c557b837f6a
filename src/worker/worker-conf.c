/* SPDX-License-Identifier: MIT */
/* Rows of the options of workers. */
#include "worker/worker-conf.h"

#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/macro.h"
#include "base/net.h"
#include "http/forwarded.h"
#include "worker/log-format.h"

#define FIELD(f) offsetof(struct worker_conf, f)
#define KIB      1024ULL
#define US_A_DAY (24ULL * 3600 * US_PER_SEC)

static int check_networks(const char *value, char *reason, size_t size)
{
    _cleanup_(net_list_done) struct net_list l = {0};
    struct errmsg err = {""};
    int r = net_list_add(&l, value, &err);

    if (r < 0)
        (void)snprintf(reason, size, "%s", err.text);
    return r;
}

static int check_headers(const char *value, char *reason, size_t size)
{
    _cleanup_(forwarded_rules_done) struct forwarded_rules rules = {0};
    struct errmsg err = {""};
    int r = forwarded_add_headers(&rules, value, &err);

    if (r < 0)
        (void)snprintf(reason, size, "%s", err.text);
    return r;
}

static int check_format(const char *value, char *reason, size_t size)
{
    _cleanup_(log_format_done) struct log_format f = {.pieces = NULL};
    struct errmsg err = {""};
    int r = log_format_parse(value, &f, &err);

    if (r < 0)
        (void)snprintf(reason, size, "%s", err.text);
    return r;
}

/* clang-format off */
const struct liege_option worker_options[] = {
    { .name = "buffer-size", .aliases = "b", .type = LIEGE_OPTION_BYTES,
      .offset = FIELD(max_head_bytes), .min = 1 * KIB, .max = 1024 * KIB, .dflt = "64k",
      .arg = "BYTES", .help = "longest head of a request; a longer one is answered 431" },
    { .name = "limit-request-line", .type = LIEGE_OPTION_BYTES, .offset = FIELD(max_target_bytes),
      .min = 64, .max = 1024 * KIB, .dflt = "16k", .arg = "BYTES",
      .help = "longest target (path and query); a longer one is answered 414" },
    { .name = "limit-request-field-size", .type = LIEGE_OPTION_BYTES,
      .offset = FIELD(max_field_bytes), .min = 64, .max = 1024 * KIB, .dflt = "16k",
      .arg = "BYTES", .help = "longest header field; a longer one is answered 431" },
    { .name = "limit-request-fields", .type = LIEGE_OPTION_UINT, .offset = FIELD(max_fields),
      .min = 8, .max = 4096, .dflt = "100", .arg = "N",
      .help = "header fields of a request; more are answered 431" },
    { .name = "limit-post", .type = LIEGE_OPTION_BYTES, .offset = FIELD(max_body_bytes),
      .dflt = "0", .arg = "BYTES", .help = "longest request body, 0 for any; a longer one is "
                                           "answered 413" },
    { .name = "post-buffering", .type = LIEGE_OPTION_BYTES, .offset = FIELD(body_memory_bytes),
      .min = 1, .max = KIB * KIB * KIB, .dflt = "1m", .arg = "BYTES",
      .help = "request bodies up to this size stay in memory; longer ones go to a temporary file" },
    { .name = "http-timeout", .type = LIEGE_OPTION_SECONDS, .offset = FIELD(head_timeout_us),
      .min = US_PER_MS, .max = US_A_DAY, .dflt = "60", .arg = "SECONDS",
      .help = "how long a client may take to send the head of a request" },
    { .name = "http-keepalive", .type = LIEGE_OPTION_SECONDS,
      .offset = FIELD(keepalive_timeout_us), .min = US_PER_MS, .max = US_A_DAY, .dflt = "75",
      .arg = "SECONDS", .help = "how long a connection may wait for its next request" },
    { .name = "socket-timeout", .type = LIEGE_OPTION_SECONDS, .offset = FIELD(socket_timeout_us),
      .min = US_PER_MS, .max = US_A_DAY, .dflt = "60", .arg = "SECONDS",
      .help = "how long a client may go without sending of a body or taking of an answer" },
    { .name = "min-rate", .type = LIEGE_OPTION_BYTES, .offset = FIELD(min_rate), .dflt = "240",
      .arg = "BYTES", .help = "bytes a second that the body of a request must come at on the whole, "
                              "after its first socket-timeout; 0: any" },
    { .name = "harakiri", .aliases = "t", .type = LIEGE_OPTION_SECONDS,
      .offset = FIELD(harakiri_us), .max = US_A_DAY, .arg = "SECONDS",
      .help = "a worker whose application takes longer than this for a request is killed; 0: never" },
    { .name = "heartbeat", .type = LIEGE_OPTION_SECONDS, .offset = FIELD(heartbeat_us),
      .max = US_A_DAY, .arg = "SECONDS",
      .help = "give the Emperor a sign of life each time so long has passed, unless in twice the time no worker "
              "could have taken a request or has answered one; 0: never" },
    { .name = "threads", .type = LIEGE_OPTION_UINT, .offset = FIELD(threads), .min = 1, .max = 1024,
      .dflt = "1", .arg = "N", .help = "requests that a worker runs at the same time, in threads" },
    { .name = "max-requests", .aliases = "R", .type = LIEGE_OPTION_UINT,
      .offset = FIELD(max_requests), .max = 1000000000, .dflt = "0", .arg = "N",
      .help = "a worker that has answered so many requests is replaced by a new one; 0: never" },
    { .name = "max-requests-delta", .type = LIEGE_OPTION_UINT,
      .offset = FIELD(max_requests_delta), .max = 1000000000, .dflt = "0", .arg = "N",
      .help = "worker I answers I times so many requests more than max-requests, so that not all "
              "are replaced together" },
    { .name = "refork-after", .type = LIEGE_OPTION_UINT, .offset = FIELD(refork_after),
      .max = 1000000000, .dflt = "0", .arg = "N",
      .help = "when a worker has answered so many requests, a copy of it becomes the zygote, and all workers are "
              "replaced by what that forks; 0: never" },
    { .name = "reshare-after", .type = LIEGE_OPTION_SECONDS, .offset = FIELD(reshare_after_us),
      .max = US_A_DAY, .dflt = "1", .arg = "SECONDS",
      .help = "when a worker of a vassal that was forked from a base has had no request for so long, what its memory "
              "has in common with the base's is shared again; 0: never" },
    { .name = "max-worker-lifetime", .type = LIEGE_OPTION_SECONDS,
      .offset = FIELD(max_worker_lifetime_us), .max = 366 * US_A_DAY, .arg = "SECONDS",
      .help = "a worker that has been there for so long is replaced by a new one; 0: never" },
    { .name = "max-worker-lifetime-delta", .type = LIEGE_OPTION_SECONDS,
      .offset = FIELD(max_worker_lifetime_delta_us), .max = 366 * US_A_DAY, .arg = "SECONDS",
      .help = "worker I stays I times so much longer than max-worker-lifetime" },
    { .name = "reload-on-rss", .type = LIEGE_OPTION_MEBIBYTES, .offset = FIELD(reload_on_rss),
      .arg = "MIB", .help = "a worker whose resident memory is larger than this is replaced; 0: any" },
    { .name = "reload-on-pss", .type = LIEGE_OPTION_MEBIBYTES, .offset = FIELD(reload_on_pss),
      .arg = "MIB",
      .help = "a worker whose proportional share of memory is larger than this is replaced; 0: any" },
    { .name = "enable-threads", .type = LIEGE_OPTION_ALWAYS,
      .help = "threads of the application run" },
    { .name = "max-waiting", .type = LIEGE_OPTION_UINT, .offset = FIELD(max_waiting), .min = 1,
      .max = 1000000, .dflt = "4096", .arg = "N",
      .help = "complete requests that may wait for a worker; more are answered 503" },
    { .name = "overload-wait", .type = LIEGE_OPTION_SECONDS, .offset = FIELD(overload_wait_us),
      .min = US_PER_MS, .max = US_A_DAY, .dflt = "1", .arg = "SECONDS",
      .help = "in an overload (all have to wait, and clients leave) a request that would wait longer "
              "than this is answered 503" },
    { .name = "trusted-proxy", .type = LIEGE_OPTION_LIST, .offset = FIELD(trusted_proxies),
      .check = check_networks, .arg = "NETWORK",
      .help = "believe these peers (an address, a network, unix, all or none) what "
              "trusted-proxy-headers say of the client, and nobody else; without it such headers "
              "are passed on and not looked at" },
    { .name = "trusted-proxy-headers", .type = LIEGE_OPTION_LIST,
      .offset = FIELD(trusted_proxy_headers), .check = check_headers, .dflt = FORWARDED_HEADERS,
      .arg = "NAMES",
      .help = "the headers about the client that every trusted proxy writes or removes: "
              "x-forwarded-for, -proto, -host and -port and forwarded are read, others only kept; "
              "those not named are dropped" },
    { .name = "proxy-protocol", .type = LIEGE_OPTION_LIST, .offset = FIELD(proxy_protocol_peers),
      .check = check_networks, .arg = "NETWORK",
      .help = "these peers (an address, a network, unix, all or none) must begin each connection "
              "with a PROXY protocol header, version 1 or 2" },
    { .name = "disable-logging", .aliases = "L", .type = LIEGE_OPTION_FLAG,
      .offset = FIELD(disable_logging), .help = "do not log requests" },
    { .name = "log-format", .type = LIEGE_OPTION_STRING, .offset = FIELD(log_format),
      .check = check_format, .arg = "FORMAT",
      .help = "the line for each request, with variables such as %(addr), %(method), %(uri), "
              "%(status), %(msecs) (docs/logging.md has all)" },
    { .name = "json-log", .type = LIEGE_OPTION_FLAG, .offset = FIELD(json_log),
      .help = "the line for each request is a JSON object" },
};
/* clang-format on */
const size_t worker_n_options = COUNT_OF(worker_options);
