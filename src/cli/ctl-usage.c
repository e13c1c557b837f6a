/* SPDX-License-Identifier: MIT */
/* What processes use: /proc is read once into an array that is sorted by parent, and sums go down
 * from a process to its descendants. Called by ctl-top.c; the Emperor itself never looks there. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/ctl.h"

#define MAX_DEPTH 64 /* of descendants: more is a loop, since pids are used again */

struct process {
    int pid, parent;
    struct ctl_usage usage;
};

struct ctl_processes {
    struct process *items;
    size_t n_items;
};

/* Fields as in proc(5); the name, which may hold anything, ends with the last ")". */
static bool read_process(int proc_fd, const char *name, struct process *ret)
{
    char path[32], text[1024];
    unsigned long long user = 0, system = 0;
    long rss = 0;

    (void)snprintf(path, sizeof(path), "%.20s/stat", name);
    _cleanup_close_ int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    const char *rest = strrchr(text, ')');
    if (!rest || sscanf(rest + 1,
                        " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d "
                        "%*d %*u %*u %ld",
                        &ret->parent, &user, &system, &rss) != 4)
        return false;
    ret->pid = atoi(name);
    ret->usage.ticks = user + system;
    ret->usage.rss_bytes = (unsigned long long)rss * (unsigned long long)sysconf(_SC_PAGESIZE);
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct process *x = a, *y = b;

    return (x->parent > y->parent) - (x->parent < y->parent);
}

static bool append(struct ctl_processes *p, const struct process *item, size_t *capacity)
{
    if (p->n_items == *capacity) {
        struct process *items = reallocarray(p->items, *capacity * 2 + 256, sizeof(*items));
        if (!items)
            return false;
        p->items = items;
        *capacity = *capacity * 2 + 256;
    }
    p->items[p->n_items++] = *item;
    return true;
}

struct ctl_processes *ctl_processes_read(void)
{
    struct ctl_processes *p = calloc(1, sizeof(*p));
    DIR *d = opendir("/proc");
    size_t capacity = 0;
    bool good = p && d;

    for (const struct dirent *e = NULL; good && (e = readdir(d));) {
        struct process item = {0};
        if (isdigit((unsigned char)e->d_name[0]) && read_process(dirfd(d), e->d_name, &item))
            good = append(p, &item, &capacity);
    }
    if (d)
        (void)closedir(d);
    if (!good)
        return ctl_processes_free(p);
    if (p->n_items > 0)
        qsort(p->items, p->n_items, sizeof(*p->items), compare);
    return p;
}

struct ctl_processes *ctl_processes_free(struct ctl_processes *p)
{
    if (p)
        free(p->items);
    free(p);
    return NULL;
}

/* The first whose parent is @pid or a later one. */
static size_t first_child(const struct ctl_processes *p, int pid)
{
    size_t low = 0, high = p->n_items;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (p->items[middle].parent < pid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Recursion ends: MAX_DEPTH. NOLINTNEXTLINE(misc-no-recursion) */
static void add_children(const struct ctl_processes *p, int pid, int depth, struct ctl_usage *sum)
{
    for (size_t i = first_child(p, pid); i < p->n_items && p->items[i].parent == pid; i++) {
        sum->ticks += p->items[i].usage.ticks;
        sum->rss_bytes += p->items[i].usage.rss_bytes;
        if (depth < MAX_DEPTH)
            add_children(p, p->items[i].pid, depth + 1, sum);
    }
}

struct ctl_usage ctl_processes_sum(const struct ctl_processes *p, int pid)
{
    struct ctl_usage sum = {0};

    for (size_t i = 0; i < p->n_items; i++)
        if (p->items[i].pid == pid)
            sum = p->items[i].usage;
    add_children(p, pid, 0, &sum);
    return sum;
}
