/* SPDX-License-Identifier: MIT */
/* Texts that were appended to a program: `cat text` and its length, behind the last byte. */
#include "conf/appended.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

/* What comes in less bytes than the file has was cut off meanwhile. */
static int read_at(int fd, void *data, size_t len, uint64_t at)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(fd, (char *)data + done, len - done, (off_t)(at + done));
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n == 0)
            return -ENOENT;
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int appended_read(int fd, unsigned number, size_t max, char **ret_text, size_t *ret_len)
{
    struct stat st;
    uint64_t len = 0;

    if (fstat(fd, &st) < 0)
        return -errno;
    uint64_t end = (uint64_t)st.st_size;
    for (uint64_t i = 0; i <= number; i++) {
        end -= i > 0 ? len : 0;
        if (end < sizeof(len))
            return -ENOENT;
        end -= sizeof(len);
        int r = read_at(fd, &len, sizeof(len), end);
        if (r < 0)
            return r;
        if (len == 0 || len > end) /* the program itself ends here */
            return -ENOENT;
    }
    if (len > max)
        return -EFBIG;
    _cleanup_free_ char *text = malloc(len + 1);
    if (!text)
        return -ENOMEM;
    int r = read_at(fd, text, len, end - len);
    if (r < 0)
        return r;
    text[len] = '\0';
    *ret_text = TAKE_PTR(text);
    *ret_len = len;
    return 0;
}
