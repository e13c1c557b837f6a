/* SPDX-License-Identifier: MIT */
/* Reads /proc/self/maps without the C library's help for numbers and lines: the memory that such
 * help may use is what is being given back. The table is read twice, first for the files that must
 * stay, then to drop the rest; the kernel goes on by address, so unmapping does not disturb the
 * reading. */
#include "base/memmap.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define MAX_KEEP  8
#define MAX_FILES 4

struct mapping {
    uintptr_t start, end;
    uint64_t inode; /* 0: no file */
    char name0, name1;
};

/* What must stay. */
struct needs {
    uintptr_t addresses[MAX_KEEP + 2];
    size_t n_addresses;
    uint64_t files[MAX_FILES]; /* inodes */
    size_t n_files;
    uintptr_t after; /* where the last mapping of such a file ended: zeroed variables follow it */
};

/* A line at a time out of a buffer. */
struct reader {
    int fd;
    size_t len, at;
    char bytes[1024];
};

static int next_char(struct reader *r)
{
    if (r->at == r->len) {
        ssize_t n = read(r->fd, r->bytes, sizeof(r->bytes));
        if (n < 0)
            return -errno;
        if (n == 0)
            return -ENODATA;
        r->len = (size_t)n;
        r->at = 0;
    }
    return (unsigned char)r->bytes[r->at++];
}

static int digit_of(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A number and the character behind it, which is returned. */
static int next_number(struct reader *r, unsigned base, uint64_t *ret)
{
    *ret = 0;
    for (;;) {
        int c = next_char(r);
        int digit = digit_of(c);
        if (digit < 0)
            return c;
        *ret = *ret * base + (unsigned)digit;
    }
}

static int skip_word(struct reader *r)
{
    int c = 0;

    while (c >= 0 && c != ' ')
        c = next_char(r);
    return c;
}

/* "start-end perms offset device inode    name". Returns 1, 0 at the end, or a negative errno. */
static int next_mapping(struct reader *r, struct mapping *ret)
{
    uint64_t start = 0, end = 0, inode = 0;

    int c = next_number(r, 16, &start);
    if (c == -ENODATA)
        return 0;
    if (c >= 0)
        c = next_number(r, 16, &end);
    for (int i = 0; i < 3 && c >= 0; i++)
        c = skip_word(r);
    if (c >= 0)
        c = next_number(r, 10, &inode);
    while (c == ' ')
        c = next_char(r);
    *ret = (struct mapping){.start = start, .end = end, .inode = inode};
    for (int i = 0; c >= 0 && c != '\n'; i++, c = next_char(r)) {
        if (i == 0)
            ret->name0 = (char)c;
        else if (i == 1)
            ret->name1 = (char)c;
    }
    return c < 0 ? c : 1;
}

static bool holds(const struct mapping *m, uintptr_t address)
{
    return m->start <= address && address < m->end;
}

static bool is_needed(struct needs *n, const struct mapping *m)
{
    for (size_t i = 0; i < n->n_files; i++)
        if (m->inode == n->files[i]) {
            n->after = m->end;
            return true;
        }
    for (size_t i = 0; i < n->n_addresses; i++)
        if (holds(m, n->addresses[i]))
            return true;
    /* The kernel's: [vdso], [vvar], [vsyscall]; and variables that begin as zero. */
    return (m->name0 == '[' && m->name1 == 'v') ||
           (m->inode == 0 && m->name0 == '\0' && m->start == n->after);
}

static int each_mapping(int (*fn)(struct needs *n, const struct mapping *m), struct needs *n)
{
    _cleanup_close_ int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    struct reader r = {.fd = fd};
    struct mapping m;

    if (fd < 0)
        return -errno;
    int result = next_mapping(&r, &m);
    while (result > 0) {
        result = fn(n, &m);
        if (result == 0)
            result = next_mapping(&r, &m);
    }
    return result;
}

static int note_file(struct needs *n, const struct mapping *m)
{
    const uintptr_t code[] = {(uintptr_t)memmap_drop_all_except, (uintptr_t)poll,
                              getauxval(AT_BASE)};

    for (size_t i = 0; i < COUNT_OF(code); i++)
        if (m->inode != 0 && n->n_files < MAX_FILES && holds(m, code[i]))
            n->files[n->n_files++] = m->inode;
    return 0;
}

static int drop(struct needs *n, const struct mapping *m)
{
    if (is_needed(n, m))
        return 0;
    return syscall(SYS_munmap, m->start, m->end - m->start) < 0 ? -errno : 0;
}

int memmap_drop_all_except(const void *const *keep, size_t n_keep)
{
    struct needs n = {.n_addresses = 0};

    assert(n_keep <= MAX_KEEP);
    for (size_t i = 0; i < n_keep; i++)
        n.addresses[n.n_addresses++] = (uintptr_t)keep[i];
    n.addresses[n.n_addresses++] = (uintptr_t)&n;
    n.addresses[n.n_addresses++] = (uintptr_t)__builtin_thread_pointer();
#ifdef __SANITIZE_ADDRESS__
    return 0;
#endif
    int r = each_mapping(note_file, &n);
    return r < 0 ? r : each_mapping(drop, &n);
}
