/* SPDX-License-Identifier: MIT */
/* Writes FastCGI records: those that an answer is cut into, and those that end it. Pure: bytes into
 * memory of the caller. Padding is allowed and helps nobody here, so there is none. Called by
 * proto.c for answers and by the parser for what it has to say itself. */
#include "proto/fastcgi-write.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"

void fastcgi_put_head(char out[FASTCGI_HEAD_LEN], enum fastcgi_type type, uint16_t id, size_t len)
{
    assert(len <= FASTCGI_MAX_CONTENT);
    out[0] = FASTCGI_VERSION;
    out[1] = (char)type;
    out[2] = (char)(id >> 8);
    out[3] = (char)(id & 0xff);
    out[4] = (char)(len >> 8);
    out[5] = (char)(len & 0xff);
    out[6] = 0; /* bytes of padding */
    out[7] = 0;
}

void fastcgi_put_end(char out[FASTCGI_END_LEN], uint16_t id, enum fastcgi_end end)
{
    memset(out, 0, FASTCGI_END_LEN);
    fastcgi_put_head(out, FASTCGI_END_REQUEST, id, FASTCGI_END_LEN - FASTCGI_HEAD_LEN);
    out[FASTCGI_HEAD_LEN + 4] = (char)end; /* after 4 bytes of exit status */
}

int fastcgi_wrap(struct buf *buf, size_t at, uint16_t id, bool last)
{
    size_t len = buf_len(buf) - at;
    size_t n = (len + FASTCGI_MAX_CONTENT - 1) / FASTCGI_MAX_CONTENT;
    int r = buf_reserve(buf, n * FASTCGI_HEAD_LEN + FASTCGI_HEAD_LEN + FASTCGI_END_LEN);

    if (r < 0)
        return r;
    char *start = buf_at(buf) + at;
    for (size_t i = n; i > 0; i--) { /* from the end, so that nothing is written over */
        size_t offset = (i - 1) * FASTCGI_MAX_CONTENT;
        size_t piece = MIN(len - offset, (size_t)FASTCGI_MAX_CONTENT);
        char *record = start + offset + (i - 1) * FASTCGI_HEAD_LEN;
        memmove(record + FASTCGI_HEAD_LEN, start + offset, piece);
        fastcgi_put_head(record, FASTCGI_STDOUT, id, piece);
    }
    buf->end += n * FASTCGI_HEAD_LEN;
    if (!last)
        return 0;
    fastcgi_put_head(buf->data + buf->end, FASTCGI_STDOUT, id, 0);
    fastcgi_put_end(buf->data + buf->end + FASTCGI_HEAD_LEN, id, FASTCGI_REQUEST_COMPLETE);
    buf->end += FASTCGI_HEAD_LEN + FASTCGI_END_LEN;
    return 0;
}
