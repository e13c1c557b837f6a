/* SPDX-License-Identifier: MIT */
/* Rows of the options of workers. */
#include "worker/worker-conf.h"

#include "base/clock.h"
#include "base/macro.h"

#define FIELD(f) offsetof(struct worker_conf, f)
#define KIB      1024ULL
#define US_A_DAY (24ULL * 3600 * US_PER_SEC)

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
    { .name = "disable-logging", .aliases = "L", .type = LIEGE_OPTION_FLAG,
      .offset = FIELD(disable_logging), .help = "do not log requests" },
};
/* clang-format on */
const size_t worker_n_options = COUNT_OF(worker_options);
