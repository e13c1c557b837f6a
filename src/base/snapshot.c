/* SPDX-License-Identifier: MIT */
/* Only the C library's heap. What somebody else asks the kernel to forget (madvise(2),
 * MADV_DONTNEED) he may expect to be zero afterwards, as memory of no file is, and here it would be
 * what it was: so other allocators' memory stays as it is, and what has a meaning of its own to the
 * kernel, too. The file is said to be larger than it will ever be: a part of the heap that is grown
 * with mremap(2) has zeros behind the end, where without them an access would be an error. */
#include "base/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/malloc-heap.h"
#include "base/maps.h"

#define PAGE           ((uintptr_t)4096)
#define SOME           256 /* pages that are looked at together */
#define MAX_RANGES     1024
#define PIECE          ((size_t)2 << 20) /* that is in memory twice while it is moved */
#define MOST_LOOKED_AT 8192              /* pages at once, about */
#define MOST_COMPARED  256               /* of them such as are our own, about */
#define FILE_SIZE      ((off_t)1 << 46)
#define SEALS          (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* Of a page, as in /proc/self/pagemap. */
#define PRESENT (1ULL << 63)
#define SWAPPED (1ULL << 62)
#define OF_FILE (1ULL << 61)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22 /* Linux 5.14 */
#endif

static struct {
    const char *view; /* all of it, as it was; NULL: there is none */
    size_t size;
    dev_t device;
    ino_t inode;
} snapshot;

struct range {
    uintptr_t start, end;
};

struct ranges {
    struct range items[MAX_RANGES];
    size_t n_items;
};

/* Whoever has changed his user may not open it any more (proc(5)). */
static int open_pagemap(void)
{
    return open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

/* Without it: which pages are there. That some of them are the snapshot's own is not known then. */
static int ask_for_states(uintptr_t address, size_t n, uint64_t *ret)
{
    void *pages[SOME];
    int nodes[SOME];

    for (size_t i = 0; i < n; i++)
        pages[i] = (void *)(address + i * PAGE); /* NOLINT(performance-no-int-to-ptr) */
    if (syscall(SYS_move_pages, 0, n, pages, NULL, nodes, 0) < 0)
        return -errno;
    for (size_t i = 0; i < n; i++)
        ret[i] = nodes[i] >= 0 ? PRESENT : 0;
    return 0;
}

/* The states of the pages from @address on, SOME at most. Returns their number or a negative errno.
 */
static ssize_t read_states(int pagemap, uintptr_t address, uintptr_t end, uint64_t *ret)
{
    const size_t n = MIN((end - address) / PAGE, (size_t)SOME);

    if (pagemap < 0) {
        int r = ask_for_states(address, n, ret);
        return r < 0 ? r : (ssize_t)n;
    }
    ssize_t got = pread(pagemap, ret, n * sizeof(*ret), (off_t)(address / PAGE * sizeof(*ret)));
    if (got < (ssize_t)sizeof(*ret))
        return got < 0 ? -errno : -EIO;
    return got / (ssize_t)sizeof(*ret);
}

/* A signal's handler may write anywhere. */
static void hold_signals(sigset_t *ret_before)
{
    sigset_t all;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_SETMASK, &all, ret_before);
}

static void release_signals(const sigset_t *before)
{
    (void)sigprocmask(SIG_SETMASK, before, NULL);
}

/* Takes @page up, which follows what is there. Those for which there is no room stay what they are.
 */
static void add_page(struct ranges *r, uintptr_t page)
{
    struct range *last = r->n_items > 0 ? &r->items[r->n_items - 1] : NULL;

    if (last && last->end == page)
        last->end += PAGE;
    else if (r->n_items < MAX_RANGES)
        r->items[r->n_items++] = (struct range){.start = page, .end = page + PAGE};
}

static int add_written(struct ranges *r, int pagemap, const struct mapping *m)
{
    uint64_t states[SOME] = {0};

    for (uintptr_t at = m->start; at < m->end;) {
        ssize_t n = read_states(pagemap, at, m->end, states);
        if (n < 0)
            return (int)n;
        for (ssize_t i = 0; i < n; i++, at += PAGE)
            if (states[i] & (PRESENT | SWAPPED))
                add_page(r, at);
    }
    return 0;
}

/* A part of the heap of which nothing is known to the kernel but that it is used (VmFlags: so it is
 * neither locked, nor kept from forks or core files). */
static bool is_plain(const struct mapping *m)
{
    static const char plain[] = " rd wr mr mw me ac nr sd hg nh mg ";

    if (!mapping_is_heap(m) || !m->readable || !m->writable || m->executable || m->shared)
        return false;
    for (const char *at = m->flags; *at;) {
        char word[8] = " ";
        at += strspn(at, " ");
        size_t len = strcspn(at, " ");
        if (len > 2)
            return false;
        memcpy(word + 1, at, len);
        word[1 + len] = ' ';
        at += len;
        if (len > 0 && !strstr(plain, word))
            return false;
    }
    return true;
}

/* What of the heap there is memory for. */
static int find_ranges(struct ranges *ret)
{
    _cleanup_close_ int pagemap = open_pagemap();
    struct maps maps;
    struct mapping m;

    ret->n_items = 0;
    int r = maps_open_flags(&maps);
    if (r < 0)
        return r;
    while ((r = maps_next(&maps, &m)) > 0) {
        r = is_plain(&m) ? add_written(ret, pagemap, &m) : 0;
        if (r < 0)
            break;
    }
    maps_close(&maps);
    return r == 0 && ret->n_items == 0 ? -EOPNOTSUPP : r;
}

static size_t sum(const struct ranges *ranges)
{
    size_t size = 0;

    for (size_t i = 0; i < ranges->n_items; i++)
        size += ranges->items[i].end - ranges->items[i].start;
    return size;
}

static int write_all(int fd, uintptr_t start, size_t size, size_t offset)
{
    for (size_t done = 0; done < size;) {
        const void *from = (const void *)(start + done); /* NOLINT(performance-no-int-to-ptr) */
        ssize_t n = pwrite(fd, from, size - done, (off_t)(offset + done));
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        done += (size_t)n;
    }
    return 0;
}

/* Puts the file in the place of what it was written from. It is mapped somewhere else first: where
 * that fails, everything is as it was. */
static int replace(int fd, uintptr_t start, size_t size, size_t offset)
{
    void *mapped =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, (off_t)offset);

    if (mapped == MAP_FAILED)
        return -errno;
    if (syscall(SYS_mremap, mapped, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, start) >= 0)
        return 0;
    int r = -errno;
    (void)munmap(mapped, size);
    return r;
}

/* Nothing on the heap may be written to in here. */
static int move(int fd, const struct range *range, size_t offset)
{
    int r = 0;

    for (uintptr_t at = range->start; r == 0 && at < range->end; at += PIECE) {
        const size_t size = MIN(range->end - at, PIECE);
        r = write_all(fd, at, size, offset);
        if (r == 0)
            r = replace(fd, at, size, offset);
        offset += size;
    }
    return r;
}

static int move_all(int fd, const struct ranges *ranges)
{
    size_t offset = 0;
    sigset_t before;
    int r = 0;

    hold_signals(&before);
    for (size_t i = 0; r == 0 && i < ranges->n_items; i++) {
        r = move(fd, &ranges->items[i], offset);
        offset += ranges->items[i].end - ranges->items[i].start;
    }
    release_signals(&before);
    return r;
}

/* Who makes a file larger than he may gets a signal that ends him (setrlimit(2)). */
static int check_limit(void)
{
    struct rlimit limit = {0};

    if (getrlimit(RLIMIT_FSIZE, &limit) < 0)
        return -errno;
    return limit.rlim_cur < (rlim_t)FILE_SIZE ? -EFBIG : 0;
}

/* The view is what the memory is counted by in the process that others are forked from: there it is
 * all there, and is not copied for them. */
static int open_view(int fd, size_t size)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    void *view = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (view == MAP_FAILED)
        return -errno;
    (void)madvise(view, size, MADV_POPULATE_READ);
    snapshot.view = view;
    snapshot.size = size;
    snapshot.device = st.st_dev;
    snapshot.inode = st.st_ino;
    return 0;
}

int snapshot_take(void)
{
    struct ranges ranges;

    if (sysconf(_SC_PAGESIZE) != (long)PAGE || !malloc_is_of_libc())
        return -EOPNOTSUPP;
    int r = check_limit();
    if (r < 0)
        return r;
    r = find_ranges(&ranges);
    if (r < 0)
        return r;
    _cleanup_close_ int fd = memfd_create("liege-snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0 || ftruncate(fd, FILE_SIZE) < 0)
        return -errno;
    r = move_all(fd, &ranges);
    if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
        return -errno;
    return r < 0 ? r : open_view(fd, sum(&ranges));
}

bool snapshot_exists(void)
{
    return snapshot.view != NULL;
}

/* An allocator may have unmapped it since, and something else may be there. */
static bool is_of_snapshot(const struct mapping *m)
{
    return m->readable && m->writable && !m->shared && m->inode == snapshot.inode &&
           m->device == snapshot.device && m->offset + (m->end - m->start) <= snapshot.size;
}

/* Without /proc/self/pagemap each that is there counts as our own. */
static bool is_own(uint64_t state)
{
    return (state & PRESENT) && !(state & OF_FILE);
}

static bool is_same(const struct mapping *m, uintptr_t page)
{
    const void *own = (const void *)page; /* NOLINT(performance-no-int-to-ptr) */

    return memcmp(own, snapshot.view + m->offset + (page - m->start), PAGE) == 0;
}

/* What the application has locked in memory (mlock(2)) stays. */
static int forget(uintptr_t start, size_t size)
{
    if (size == 0 || syscall(SYS_madvise, start, size, MADV_DONTNEED) == 0 || errno == EINVAL)
        return 0;
    return -errno;
}

/* How far we are. */
struct walk {
    int pagemap;
    uintptr_t at;
    size_t n_looked_at, n_compared, n_returned; /* pages */
};

static bool is_enough(const struct walk *w)
{
    return w->n_looked_at >= MOST_LOOKED_AT || w->n_compared >= MOST_COMPARED;
}

/* Goes on in @m, to its end or until it is enough. */
static int return_pages(struct walk *w, const struct mapping *m)
{
    uint64_t states[SOME] = {0};
    uintptr_t first = w->at; /* of a row of them */
    int r = 0;

    while (r == 0 && w->at < m->end && !is_enough(w)) {
        ssize_t n = read_states(w->pagemap, w->at, m->end, states);
        if (n < 0)
            return (int)n;
        w->n_looked_at += (size_t)n;
        for (ssize_t i = 0; r == 0 && i < n; i++, w->at += PAGE) {
            bool ours = is_own(states[i]);
            w->n_compared += ours;
            if (ours && is_same(m, w->at)) {
                w->n_returned++;
            } else {
                r = forget(first, w->at - first);
                first = w->at + PAGE;
            }
        }
    }
    return r == 0 ? forget(first, w->at - first) : r;
}

/* Returns 1 at the end, 0 if it was enough before, or a negative errno. */
static int walk(struct walk *w)
{
    size_t left = snapshot.size; /* of it to come, unless some is not mapped any more */
    struct maps maps;
    struct mapping m;
    int next = 0;

    int r = maps_open(&maps);
    if (r < 0)
        return r;
    while (r == 0 && !is_enough(w)) {
        next = maps_next(&maps, &m);
        if (next <= 0) {
            r = next < 0 ? next : 1;
        } else if (is_of_snapshot(&m)) {
            w->at = MAX(w->at, m.start);
            r = w->at < m.end ? return_pages(w, &m) : 0;
            left -= MIN(m.end - m.start, left);
            if (r == 0 && left == 0 && w->at >= m.end)
                r = 1;
        }
    }
    maps_close(&maps);
    return r;
}

long snapshot_return(uintptr_t *at)
{
    struct walk w = {.pagemap = open_pagemap(), .at = *at};
    sigset_t before;

    hold_signals(&before);
    int r = walk(&w);
    release_signals(&before);
    closep(&w.pagemap);
    (void)forget((uintptr_t)snapshot.view, snapshot.size); /* needed only here */
    *at = r == 0 ? w.at : 0;
    return r < 0 ? r : (long)w.n_returned;
}
