/* SPDX-License-Identifier: MIT */
/* Growable bytes. Capacity doubles; what is consumed is given back by moving the rest to the front
 * only when room is needed, so consuming is free. */
#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buf_done(struct buf *b)
{
    free(b->data);
    *b = (struct buf){0};
}

int buf_reserve(struct buf *b, size_t len)
{
    if (b->capacity - b->end >= len)
        return 0;

    size_t used = buf_len(b);
    if (b->start > 0 && b->capacity - used >= len && b->start >= used) {
        memcpy(b->data, b->data + b->start, used);
        b->start = 0;
        b->end = used;
        return 0;
    }

    size_t capacity = MAX(b->capacity, (size_t)256);
    while (capacity - used < len) {
        if (capacity > (size_t)-1 / 4)
            return -ENOMEM;
        capacity *= 2;
    }
    char *data = malloc(capacity);
    if (!data)
        return -ENOMEM;
    if (used > 0)
        memcpy(data, b->data + b->start, used);
    free(b->data);
    *b = (struct buf){.data = data, .end = used, .capacity = capacity};
    return 0;
}

int buf_append(struct buf *b, const void *data, size_t len)
{
    int r = buf_reserve(b, len);

    if (r < 0)
        return r;
    if (len > 0)
        memcpy(b->data + b->end, data, len);
    b->end += len;
    return 0;
}

int buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return -EINVAL;
    int r = buf_reserve(b, (size_t)n + 1);
    if (r < 0)
        return r;
    va_start(ap, fmt);
    (void)vsnprintf(b->data + b->end, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->end += (size_t)n;
    return 0;
}

void buf_consume(struct buf *b, size_t len)
{
    assert(len <= buf_len(b));

    b->start += len;
    if (b->start == b->end)
        b->start = b->end = 0;
}
