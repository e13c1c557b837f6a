/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/macro.h"

/* The body of a request: appended while it arrives, then read by the application as often as it
 * wants (struct liege_body in liege/app.h). The first @memory_max bytes stay in memory; a longer
 * body goes to a temporary file without a name, so that nothing is left behind by a crash. */
struct http_body {
    size_t memory_max;
    const char *spool_dir; /* the caller's, outlives the body */

    char *memory; /* what is not in the file: the end of the body, or all of it */
    size_t memory_len, memory_capacity;
    int fd;           /* the temporary file, or -EBADF */
    uint64_t spooled; /* bytes in the file: the start of the body */

    uint64_t position; /* of the next read */
    char *window;      /* bytes of the file, for lines read in place */
    size_t window_len, window_capacity;
    uint64_t window_at; /* where in the body the window starts */
};

/* @memory_max is at least 1. */
void http_body_init(struct http_body *b, size_t memory_max, const char *spool_dir);

/* Frees everything; the body is empty then, and may be used again. */
void http_body_done(struct http_body *b);

/* Empties it for the next request. Memory is kept up to 64 KiB; the file is given back. */
void http_body_reset(struct http_body *b);

static inline uint64_t http_body_length(const struct http_body *b)
{
    return b->spooled + b->memory_len;
}

/* Adds bytes at the end. Returns 0, -ENOMEM, or what open(2) or write(2) said (-ENOSPC, -EFBIG,
 * -EACCES ...). After an error the body can only be reset. */
int http_body_append(struct http_body *b, const void *data, size_t len) _must_check_;

/* Moves all of it to the file, so that another process can be given it: b->fd holds the body then.
 * Errors as http_body_append(). */
int http_body_to_file(struct http_body *b) _must_check_;

/* Makes an empty one hold the first @len bytes of the file @fd, which is taken over. */
void http_body_adopt(struct http_body *b, int fd, uint64_t len);

/* Reads @len bytes from the position on, fewer only at the end. Returns how many, 0 at the end, or
 * a negative errno (-EIO ...). */
ssize_t http_body_read(struct http_body *b, void *out, size_t len) _must_check_;

/* Reads up to and including the next newline, or to the end, at most @max bytes. Returns how many;
 * *@ret_data points to them until the next call on this body. 0 at the end; negative errno. */
ssize_t http_body_read_line(struct http_body *b, size_t max, const char **ret_data) _must_check_;

/* Sets the position, from the start; 0 rewinds. Returns 0, or -EINVAL for one past the end. */
int http_body_seek(struct http_body *b, uint64_t position) _must_check_;

static inline uint64_t http_body_tell(const struct http_body *b)
{
    return b->position;
}
