/* SPDX-License-Identifier: MIT */
#pragma once

#include <llhttp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

/* What the application says of itself in the answer's fields. */
enum answer_note {
    NOTE_BEGAN, /* X-Began: it was called, us of CLOCK_MONOTONIC */
    NOTE_ENDED, /* X-Ended: it was done */
    NOTE_PID,   /* X-Pid: the process it ran in */
    NOTE_COUNT,
};

enum answer_state {
    ANSWER_NONE,    /* not a byte has come */
    ANSWER_BEGUN,   /* some have */
    ANSWER_WHOLE,   /* it is complete */
    ANSWER_INVALID, /* it is no answer, or its body is not the one that was expected */
};

/* An answer as it comes in. */
struct answer {
    llhttp_t parser;
    enum answer_state state;
    int status; /* 0 until its head is there */
    bool close; /* whether the server ends the connection after it */
    uint64_t n_body_bytes;
    uint64_t expect_bytes;
    uint64_t notes[NOTE_COUNT];
    char name[16]; /* of the field that is being read */
    size_t name_len;
};

/* For the answer to a request whose body is to be @expect_bytes of load_pattern(), or
 * PLAN_ANY_LENGTH. */
void answer_init(struct answer *a, uint64_t expect_bytes);

/* Takes what has come and says how it stands then. */
enum answer_state answer_feed(struct answer *a, const char *data, size_t len);

/* The server has ended the connection: for some answers, that is their end. */
enum answer_state answer_end(struct answer *a);

#define PATTERN_PERIOD 251 /* a prime, so that no piece that is lost or doubled fits */
#define PATTERN_BYTES  (PATTERN_PERIOD * 1024)

/* Bytes i with the value i % PATTERN_PERIOD, PATTERN_BYTES of them. */
const char *load_pattern(void);
