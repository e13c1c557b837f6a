/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/errmsg.h"
#include "base/macro.h"

#define PLAN_MAX_KINDS  8
#define PLAN_MAX_PHASES 1024
#define PLAN_ANY_LENGTH UINT64_MAX

/* A kind of request: "WEIGHT METHOD TARGET [upload=BYTES] [expect=BYTES]". */
struct plan_kind {
    double weight;
    char method[8];
    char target[128];
    uint64_t upload_bytes; /* body of the request, a piece of load_pattern() */
    uint64_t expect_bytes; /* body of the answer, the same; PLAN_ANY_LENGTH: not looked at */
};

/* A time of constant rate in an open loop. */
struct plan_phase {
    double per_second;
    double seconds;
};

/* What to do, as the command line says it. Strings point into argv. */
struct plan {
    struct addr to;
    unsigned n_keep_alive;  /* connections that are used again and again */
    unsigned n_per_request; /* at most this many that are used once */
    struct plan_kind kinds[PLAN_MAX_KINDS];
    size_t n_kinds;
    double weights; /* their sum */
    struct plan_phase phases[PLAN_MAX_PHASES];
    size_t n_phases; /* none: closed loop, each client asks again when it has its answer */
    double seconds;  /* of a closed loop */
    uint64_t seed;
    uint64_t timeout_us;
    const char *trace;      /* file, or NULL */
    bool only_failed_trace; /* leaves out of it what went well */
};

/* Reads the command line. Returns 0, a positive value if only help was wanted (and printed), or
 * -EINVAL with @err. */
int plan_read(int argc, char *argv[], struct plan *ret, struct errmsg *err) _must_check_;
