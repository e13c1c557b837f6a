/* SPDX-License-Identifier: MIT */
/* Strings with their terminators: the directory, the two limits, the environment. */
#include "ipc/surroundings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/strv.h"

#define MAX_BYTES (8UL * 1024 * 1024) /* more than execve(2) takes */

void surroundings_done(struct surroundings *s)
{
    free(s->cwd);
    s->cwd = NULL;
    strv_done(&s->environ);
}

static int append_string(struct buf *b, const char *text)
{
    return buf_append(b, text, strlen(text) + 1);
}

int surroundings_seal(const struct surroundings *s)
{
    _cleanup_(buf_done) struct buf b = {0};
    int r = append_string(&b, s->cwd);

    if (r == 0)
        r = buf_printf(&b, "%" PRIu64 " %" PRIu64, (uint64_t)s->nofile.rlim_cur,
                       (uint64_t)s->nofile.rlim_max);
    if (r == 0)
        r = buf_append(&b, "", 1);
    for (size_t i = 0; r == 0 && i < s->environ.n_items; i++)
        r = append_string(&b, s->environ.items[i]);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = memfd_create("surroundings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    ssize_t n = write(fd, buf_at(&b), buf_len(&b));
    if (n != (ssize_t)buf_len(&b))
        return n < 0 ? -errno : -EIO;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
        return -errno;
    return TAKE_FD(fd);
}

static int parse_limits(const char *text, struct rlimit *ret)
{
    char *soft_end = NULL, *end = NULL;

    ret->rlim_cur = strtoull(text, &soft_end, 10);
    ret->rlim_max = strtoull(soft_end, &end, 10);
    return soft_end > text && end > soft_end && *end == '\0' ? 0 : -EPROTO;
}

int surroundings_read(int fd, struct surroundings *ret)
{
    _cleanup_free_ char *text = NULL;
    const char *at = NULL, *end = NULL;
    size_t len = 0;

    *ret = (struct surroundings){0};
    if (lseek(fd, 0, SEEK_SET) < 0)
        return -errno;
    int r = fd_read_all(fd, MAX_BYTES, &text, &len);
    if (r < 0)
        return r;
    if (len == 0 || text[len - 1] != '\0')
        return -EPROTO;
    end = text + len;
    ret->cwd = strdup(text);
    if (!ret->cwd)
        return -ENOMEM;
    at = text + strlen(text) + 1;
    if (at == end)
        return -EPROTO;
    r = parse_limits(at, &ret->nofile);
    for (at += strlen(at) + 1; r == 0 && at < end; at += strlen(at) + 1)
        r = strv_append(&ret->environ, at);
    return r;
}
