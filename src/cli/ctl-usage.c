/* SPDX-License-Identifier: MIT */
/* What processes use: /proc is read once into an array that is sorted by parent, beside which there
 * is one of the same processes by pid; sums go down from a process to its descendants. Called by
 * ctl-top.c; the Emperor itself never looks there. */
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
    struct process *items;         /* by parent */
    const struct process **by_pid; /* the same */
    size_t n_items;
};

/* Fields as in proc(5), counted from the one after the state. */
enum field {
    FIELD_PARENT = 0,
    FIELD_USER = 10,
    FIELD_SYSTEM = 11,
    FIELD_RSS = 20,
    FIELD_COUNT,
};

/* Reads the numbers in @text, which stand between blanks. */
static bool read_fields(const char *text, unsigned long long fields[FIELD_COUNT])
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        char *end = NULL;
        fields[i] = strtoull(text, &end, 10);
        if (end == text)
            return false;
        text = end;
    }
    return true;
}

/* The name, which may hold anything, ends with the last ")"; then come a blank and the state. */
static bool read_process(int proc_fd, const char *name, struct process *ret)
{
    unsigned long long fields[FIELD_COUNT] = {0};
    char path[32], text[1024];

    (void)snprintf(path, sizeof(path), "%.20s/stat", name);
    _cleanup_close_ int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    const char *rest = strrchr(text, ')');
    if (!rest || strlen(rest) < 3 || !read_fields(rest + 3, fields))
        return false;
    *ret = (struct process){
        .pid = (int)strtol(name, NULL, 10),
        .parent = (int)fields[FIELD_PARENT],
        .usage = {.ticks = fields[FIELD_USER] + fields[FIELD_SYSTEM],
                  .rss_bytes = fields[FIELD_RSS] * (unsigned long long)sysconf(_SC_PAGESIZE)},
    };
    return true;
}

static int compare_parents(const void *a, const void *b)
{
    const struct process *x = a, *y = b;

    return (x->parent > y->parent) - (x->parent < y->parent);
}

static int compare_pids(const void *a, const void *b)
{
    const struct process *const *x = a, *const *y = b;

    return ((*x)->pid > (*y)->pid) - ((*x)->pid < (*y)->pid);
}

static bool sort(struct ctl_processes *p)
{
    p->by_pid = calloc(p->n_items + 1, sizeof(struct process *));
    if (!p->by_pid || p->n_items == 0)
        return p->by_pid != NULL;
    qsort(p->items, p->n_items, sizeof(*p->items), compare_parents);
    for (size_t i = 0; i < p->n_items; i++)
        p->by_pid[i] = &p->items[i];
    qsort(p->by_pid, p->n_items, sizeof(struct process *), compare_pids);
    return true;
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
    return good && sort(p) ? p : ctl_processes_free(p);
}

struct ctl_processes *ctl_processes_free(struct ctl_processes *p)
{
    if (!p)
        return NULL;
    free(p->by_pid);
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
    const struct process wanted = {.pid = pid}, *key = &wanted;
    const struct process **found = p->n_items > 0 ? bsearch(&key, p->by_pid, p->n_items,
                                                            sizeof(struct process *), compare_pids)
                                                  : NULL;
    struct ctl_usage sum = found ? (*found)->usage : (struct ctl_usage){0};

    add_children(p, pid, 0, &sum);
    return sum;
}
