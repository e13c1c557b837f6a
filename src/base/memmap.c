/* SPDX-License-Identifier: MIT */
/* The table is read twice, first for the files that must stay, then to drop the rest. */
#include "base/memmap.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/maps.h"
#include "base/strv.h"

#define MAX_KEEP  8
#define MAX_FILES 4

/* What must stay. */
struct needs {
    uintptr_t addresses[MAX_KEEP + 2];
    size_t n_addresses;
    ino_t files[MAX_FILES];
    size_t n_files;
    uintptr_t after; /* where the last mapping of such a file ended: zeroed variables follow it */
};

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
    return str_starts(m->name, "[v") ||
           (m->inode == 0 && m->name[0] == '\0' && m->start == n->after);
}

static int each_mapping(int (*fn)(struct needs *n, const struct mapping *m), struct needs *n)
{
    struct maps maps;
    struct mapping m;

    int r = maps_open(&maps);
    if (r < 0)
        return r;
    while ((r = maps_next(&maps, &m)) > 0) {
        r = fn(n, &m);
        if (r < 0)
            break;
    }
    maps_close(&maps);
    return r;
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
