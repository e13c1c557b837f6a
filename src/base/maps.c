/* SPDX-License-Identifier: MIT */
#include "base/maps.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/strv.h"

static int next_char(struct maps *m)
{
    if (m->at == m->len) {
        ssize_t n = read(m->fd, m->bytes, sizeof(m->bytes));
        if (n < 0)
            return -errno;
        if (n == 0)
            return -ENODATA;
        m->len = (size_t)n;
        m->at = 0;
    }
    return (unsigned char)m->bytes[m->at++];
}

static int digit_of(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A number and the character behind it, which is returned. */
static int next_number(struct maps *m, unsigned base, uint64_t *ret)
{
    *ret = 0;
    for (;;) {
        int c = next_char(m);
        int digit = digit_of(c);
        if (digit < 0)
            return c;
        *ret = *ret * base + (unsigned)digit;
    }
}

/* Characters up to @end or the end of the line, as many as fit. Returns the last one, or a negative
 * errno. */
static int next_word(struct maps *m, int end, char *ret, size_t size)
{
    size_t n = 0;
    int c = next_char(m);

    for (; c >= 0 && c != end && c != '\n'; c = next_char(m))
        if (n + 1 < size)
            ret[n++] = (char)c;
    ret[n] = '\0';
    return c;
}

/* Each mapping has a table, of which this is the last line. */
static int next_flags(struct maps *m, struct mapping *ret)
{
    char key[16] = "";

    while (strcmp(key, "VmFlags") != 0) {
        int c = next_word(m, ':', key, sizeof(key));
        if (c >= 0 && c != '\n')
            c = next_word(m, '\n', ret->flags, sizeof(ret->flags));
        if (c < 0)
            return c;
    }
    return 1;
}

/* "start-end perms offset major:minor inode    name". */
int maps_next(struct maps *m, struct mapping *ret)
{
    uint64_t start = 0, end = 0, major = 0, minor = 0, inode = 0;
    char perms[8] = "";

    *ret = (struct mapping){.start = 0};
    int c = next_number(m, 16, &start);
    if (c == -ENODATA)
        return 0;
    if (c >= 0)
        c = next_number(m, 16, &end);
    if (c >= 0)
        c = next_word(m, ' ', perms, sizeof(perms));
    if (c >= 0)
        c = next_number(m, 16, &ret->offset);
    if (c >= 0)
        c = next_number(m, 16, &major);
    if (c >= 0)
        c = next_number(m, 16, &minor);
    if (c >= 0)
        c = next_number(m, 10, &inode);
    while (c == ' ')
        c = next_char(m);
    if (c >= 0 && c != '\n') {
        ret->name[0] = (char)c;
        c = next_word(m, '\n', ret->name + 1, sizeof(ret->name) - 1);
    }
    if (c < 0)
        return c;
    ret->start = start;
    ret->end = end;
    ret->readable = perms[0] == 'r';
    ret->writable = perms[1] == 'w';
    ret->executable = perms[2] == 'x';
    ret->shared = perms[3] == 's';
    ret->device = makedev(major, minor);
    ret->inode = inode;
    return m->has_flags ? next_flags(m, ret) : 1;
}

static int open_table(struct maps *m, const char *path, bool has_flags)
{
    *m = (struct maps){.fd = open(path, O_RDONLY | O_CLOEXEC), .has_flags = has_flags};
    return m->fd < 0 ? -errno : 0;
}

int maps_open(struct maps *m)
{
    return open_table(m, "/proc/self/maps", false);
}

int maps_open_flags(struct maps *m)
{
    return open_table(m, "/proc/self/smaps", true);
}

void maps_close(struct maps *m)
{
    if (m->fd >= 0)
        (void)close(m->fd);
    m->fd = -1;
}

bool mapping_is_heap(const struct mapping *m)
{
    return strcmp(m->name, "[heap]") == 0;
}

bool mapping_is_own(const struct mapping *m)
{
    if (!m->writable || m->shared)
        return false;
    if (m->inode != 0)
        return str_starts(m->name, "/memfd:");
    return m->name[0] == '\0' || mapping_is_heap(m) || str_starts(m->name, "[anon:");
}
