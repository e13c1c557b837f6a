/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/macro.h"

/* A byte buffer that grows at its end and is consumed at its front. All zero is an empty one. */
struct buf {
    char *data;
    size_t start, end; /* what is in it: data[start .. end) */
    size_t capacity;
};

void buf_done(struct buf *b);

static inline size_t buf_len(const struct buf *b)
{
    return b->end - b->start;
}

static inline char *buf_at(const struct buf *b)
{
    return b->data + b->start;
}

/* Makes room for @len more bytes at data + end. Pointers into the buffer become invalid.
 * Returns 0 or -ENOMEM. */
int buf_reserve(struct buf *b, size_t len) _must_check_;

int buf_append(struct buf *b, const void *data, size_t len) _must_check_;
int buf_printf(struct buf *b, const char *fmt, ...) _printf_(2, 3) _must_check_;

/* Drops @len bytes at the front. */
void buf_consume(struct buf *b, size_t len);
