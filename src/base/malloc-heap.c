/* SPDX-License-Identifier: MIT */
#include "base/malloc-heap.h"

#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/macro.h"

#define LARGEST  ((size_t)64 << 10) /* larger ones may be mappings of their own (mallopt(3)) */
#define FINE     ((size_t)1024)     /* from here on each size that there is */
#define STEP     ((size_t)16)
#define SMALLEST ((size_t)24)

#define MAX_MAPPINGS 65536 /* the C library's own value */
#define MAPPED       (1024 * 1024)

struct plug {
    struct plug *next;
};

static struct plug *plugs; /* so that nobody takes them for lost */

/* Fills the gaps that are as large as @size. Returns false without memory. */
static bool plug(size_t size, uintptr_t end)
{
    for (;;) {
        struct plug *p = malloc(size);
        if (!p)
            return false;
        if ((uintptr_t)p >= end) {
            free(p);
            return true;
        }
        p->next = plugs;
        plugs = p;
    }
}

void malloc_keep_on_heap(void)
{
    (void)mallopt(M_MMAP_MAX, 0);
}

/* Once it has been told one of these values, the C library does not adapt the others by itself: it
 * gets those that it comes to sooner or later. */
void malloc_leave_heap(void)
{
    (void)mallopt(M_MMAP_MAX, MAX_MAPPINGS);
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED);
    (void)mallopt(M_TRIM_THRESHOLD, 2 * MAPPED);
}

/* The gaps are allocated, large ones first, until the next piece comes from the end of the heap.
 * Nothing is known of an allocator but that it has an end: one without (the address sanitizer's)
 * seems to have no gaps. */
void malloc_close_gaps(void)
{
    size_t size = LARGEST;

    (void)malloc_trim(0);
    /* What is free at the end of the heap is less than a page now. */
    const uintptr_t end = (uintptr_t)sbrk(0) - (size_t)sysconf(_SC_PAGESIZE);
    while (size > FINE && plug(size, end))
        size /= 2;
    while (size > SMALLEST && plug(size, end))
        size -= STEP;
}
