/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "base/macro.h"
#include "load/client.h"
#include "load/plan.h"

/* What became of the requests. */
struct report {
    FILE *trace; /* NULL: none */
    bool only_failed;
    uint64_t began_us, ended_us; /* of the run */
    uint64_t n_requests;
    uint64_t n_progress[PROGRESS_COUNT];
    uint64_t n_status[600];
    uint64_t n_announced_ends; /* "Connection: close" on a connection that was to be kept */
    uint64_t n_body_bytes;     /* of answers */
    uint64_t last_answer_us, longest_gap_us;
    uint64_t latest_us;     /* how late this program was itself with an arrival, at most */
    uint32_t *latencies_us; /* of what was answered, from the scheduled time */
    size_t n_latencies, latencies_size;
};

/* Opens the plan's trace. Returns 0 or a negative errno. */
int report_init(struct report *rep, const struct plan *plan) _must_check_;

/* Notes the end of @r. @answer is NULL if the request was never sent. Returns 0 or -ENOMEM. */
int report_note(struct report *rep, const struct request *r, enum progress p,
                const struct answer *answer) _must_check_;

/* Notes the end of a connection without a request. */
void report_idle_end(struct report *rep, enum progress p);

/* Prints the summary, one JSON object. */
void report_print(struct report *rep, FILE *to);

/* Returns 0, or -EIO if the trace could not be written. */
int report_done(struct report *rep) _must_check_;
