/* SPDX-License-Identifier: MIT */
/* The store of a request's body. Memory takes what comes; when it is full, all of it moves to the
 * end of an unnamed temporary file and memory starts anew. So the body is always the file followed
 * by the memory, small appends make few writes, and a body that fits never touches a disk. One
 * owner, the connection; the worker appends, then the application's thread reads. Errors of the
 * disk go up as they are. */
#include "http/body.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define FIRST_BYTES  (size_t)4096
#define KEPT_BYTES   (size_t)(64 * 1024)
#define WINDOW_BYTES (size_t)(64 * 1024)
#define LINE_BYTES   (size_t)4096 /* a line is looked for in this many bytes first */

void http_body_init(struct http_body *b, size_t memory_max, const char *spool_dir)
{
    assert(memory_max > 0);
    *b = (struct http_body){.memory_max = memory_max, .spool_dir = spool_dir, .fd = -EBADF};
}

static void drop_window(struct http_body *b)
{
    free(b->window);
    b->window = NULL;
    b->window_len = b->window_capacity = 0;
}

void http_body_reset(struct http_body *b)
{
    closep(&b->fd);
    b->fd = -EBADF;
    drop_window(b);
    if (b->memory_capacity > KEPT_BYTES) {
        free(b->memory);
        b->memory = NULL;
        b->memory_capacity = 0;
    }
    b->memory_len = 0;
    b->spooled = b->position = 0;
}

void http_body_done(struct http_body *b)
{
    http_body_reset(b);
    free(b->memory);
    b->memory = NULL;
    b->memory_capacity = 0;
}

static int open_spool(const char *dir)
{
    char path[PATH_MAX];

    int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return -errno;

    /* the file system has no unnamed files */
    int n = snprintf(path, sizeof(path), "%s/liege-body-XXXXXX", dir);
    if (n < 0 || (size_t)n >= sizeof(path))
        return -ENAMETOOLONG;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (unlink(path) < 0) {
        int r = -errno;
        closep(&fd);
        return r;
    }
    return fd;
}

/* Appends to the file. It counts only when all of it is there. */
static int spool(struct http_body *b, const char *data, size_t len)
{
    size_t done = 0;

    if (b->fd < 0) {
        int fd = open_spool(b->spool_dir);
        if (fd < 0)
            return fd;
        b->fd = fd;
    }
    while (done < len) {
        ssize_t n = pwrite(b->fd, data + done, len - done, (off_t)(b->spooled + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        done += (size_t)n;
    }
    b->spooled += len;
    return 0;
}

static int grow_memory(struct http_body *b, size_t wanted)
{
    size_t capacity = MAX(b->memory_capacity, FIRST_BYTES);

    if (wanted <= b->memory_capacity)
        return 0;
    while (capacity < wanted)
        capacity *= 2;
    char *memory = realloc(b->memory, capacity);
    if (!memory)
        return -ENOMEM;
    b->memory = memory;
    b->memory_capacity = capacity;
    return 0;
}

int http_body_append(struct http_body *b, const void *data, size_t len)
{
    if (len == 0)
        return 0;
    if (len > b->memory_max - b->memory_len) {
        int r = spool(b, b->memory, b->memory_len);
        if (r < 0)
            return r;
        b->memory_len = 0;
        if (len > b->memory_max)
            return spool(b, data, len);
    }
    int r = grow_memory(b, b->memory_len + len);
    if (r < 0)
        return r;
    memcpy(b->memory + b->memory_len, data, len);
    b->memory_len += len;
    return 0;
}

/* Reads @len bytes from @position on; the caller has made sure that they are there. */
static int read_at(const struct http_body *b, uint64_t position, char *out, size_t len)
{
    while (len > 0 && position < b->spooled) {
        size_t want = (size_t)MIN((uint64_t)len, b->spooled - position);
        ssize_t n = pread(b->fd, out, want, (off_t)position);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO; /* somebody truncated the file */
        out += n;
        len -= (size_t)n;
        position += (uint64_t)n;
    }
    if (len > 0)
        memcpy(out, b->memory + (position - b->spooled), len);
    return 0;
}

/* How many of @len bytes there are from the position on. */
static size_t available(const struct http_body *b, size_t len)
{
    uint64_t left = MIN(http_body_length(b) - b->position, (uint64_t)SSIZE_MAX);

    return MIN(len, (size_t)left);
}

int http_body_to_file(struct http_body *b)
{
    int r = spool(b, b->memory, b->memory_len);

    if (r == 0)
        b->memory_len = 0;
    return r;
}

void http_body_adopt(struct http_body *b, int fd, uint64_t len)
{
    assert(http_body_length(b) == 0);

    closep(&b->fd);
    b->fd = fd;
    b->spooled = len;
}

ssize_t http_body_read(struct http_body *b, void *out, size_t len)
{
    len = available(b, len);
    int r = read_at(b, b->position, out, len);
    if (r < 0)
        return r;
    b->position += len;
    return (ssize_t)len;
}

static size_t line_len(const char *data, size_t len)
{
    const char *newline = memchr(data, '\n', len);

    return newline ? (size_t)(newline + 1 - data) : len;
}

/* Makes the window hold @len bytes from the position on, and as many more as it has room for. */
static int fill_window(struct http_body *b, size_t len)
{
    if (b->position >= b->window_at && b->position - b->window_at + len <= b->window_len)
        return 0;
    if (b->window_capacity < len || !b->window) {
        size_t capacity = MAX(len, WINDOW_BYTES);
        drop_window(b);
        b->window = malloc(capacity);
        if (!b->window)
            return -ENOMEM;
        b->window_capacity = capacity;
    }
    b->window_len = 0;
    size_t fill = available(b, b->window_capacity);
    int r = read_at(b, b->position, b->window, fill);
    if (r < 0)
        return r;
    b->window_at = b->position;
    b->window_len = fill;
    return 0;
}

/* A line that starts in the file. Most end within LINE_BYTES; the window grows for others. */
static ssize_t read_spooled_line(struct http_body *b, size_t max, const char **ret_data)
{
    for (size_t want = MIN(max, LINE_BYTES);; want = want > max / 4 ? max : want * 4) {
        int r = fill_window(b, want);
        if (r < 0)
            return r;
        const char *data = b->window + (b->position - b->window_at);
        size_t len = line_len(data, want);
        if (len < want || want == max || data[len - 1] == '\n') {
            b->position += len;
            *ret_data = data;
            return (ssize_t)len;
        }
    }
}

ssize_t http_body_read_line(struct http_body *b, size_t max, const char **ret_data)
{
    max = available(b, max);
    if (max == 0) {
        *ret_data = "";
        return 0;
    }
    if (b->position < b->spooled)
        return read_spooled_line(b, max, ret_data);

    *ret_data = b->memory + (b->position - b->spooled);
    size_t len = line_len(*ret_data, max);
    b->position += len;
    return (ssize_t)len;
}

int http_body_seek(struct http_body *b, uint64_t position)
{
    if (position > http_body_length(b))
        return -EINVAL;
    b->position = position;
    return 0;
}
