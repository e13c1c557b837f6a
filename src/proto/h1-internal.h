/* SPDX-License-Identifier: MIT */
#pragma once

#include "proto/h1.h"

/* What the files of the HTTP/1 parser share: h1.c feeds llhttp, h1-check.c judges a head that is
 * complete, h1-body.c reads what follows it, h1-fill.c makes a request of it. */

enum h1_phase {
    H1_PHASE_EMPTY_LINES,
    H1_PHASE_HEAD,
    H1_PHASE_COUNTED, /* a body of known length */
    H1_PHASE_CHUNKS,
    H1_PHASE_TRAILERS,
    H1_PHASE_DONE,
};

static inline enum proto_state h1_refuse(struct h1 *h, int status, const char *reason)
{
    h->phase = H1_PHASE_DONE;
    return facts_refuse(&h->facts, status, reason);
}

/* The table of the fields that were stored: at most max_fields of them. */
static inline struct h1_field *h1_fields(struct h1 *h)
{
    return h->more ? h->more : h->fields;
}

/* Judges the head, @h->facts.head_len bytes from @base on, and sets the facts. */
enum proto_state h1_check_head(struct h1 *h, const char *base);

/* Makes ready for the body that the facts announce. */
enum proto_state h1_start_body(struct h1 *h);
