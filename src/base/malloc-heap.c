/* SPDX-License-Identifier: MIT */
#include "base/malloc-heap.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"

#define LARGEST  ((size_t)64 << 20) /* larger gaps get several */
#define UNMAPPED ((size_t)64 << 10) /* larger pieces may be mappings of their own (mallopt(3)) */
#define FINE     ((size_t)1024)     /* from here on each size that there is */
#define STEP     ((size_t)16)
#define SMALLEST ((size_t)24)

#define MAX_MAPPINGS 65536 /* the C library's own value */
#define MAPPED       (8 << 20)

struct plug {
    struct plug *next;
};

static bool on_heap;       /* all pieces are */
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

bool malloc_is_of_libc(void)
{
    Dl_info allocator = {0}, libc = {0};

    return dladdr((const void *)malloc, &allocator) != 0 &&
           dladdr((const void *)sbrk, &libc) != 0 && allocator.dli_fbase == libc.dli_fbase;
}

static bool is_tuned(void)
{
    static const char *const variables[] = {"MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_",
                                            "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_"};
    const char *tunables = getenv("GLIBC_TUNABLES");

    for (size_t i = 0; i < COUNT_OF(variables); i++)
        if (getenv(variables[i]))
            return true;
    return tunables && strstr(tunables, "glibc.malloc.");
}

void malloc_keep_on_heap(void)
{
    on_heap = !is_tuned() && mallopt(M_MMAP_MAX, 0) != 0;
}

/* Once it has been told one of these values, the C library does not raise the others by itself, as
 * it does to what is freed, up to 32 MiB: they are set to something in between. */
void malloc_leave_heap(void)
{
    if (!on_heap)
        return;
    on_heap = false;
    (void)mallopt(M_MMAP_MAX, MAX_MAPPINGS);
    (void)mallopt(M_MMAP_THRESHOLD, MAPPED);
    (void)mallopt(M_TRIM_THRESHOLD, 2 * MAPPED);
}

/* The gaps are allocated, large ones first, until the next piece comes from the end of the heap.
 * Nothing is known of an allocator but that it has an end: one without (the address sanitizer's)
 * seems to have no gaps. */
void malloc_close_gaps(void)
{
    size_t size = on_heap ? LARGEST : UNMAPPED;

    (void)malloc_trim(0);
    /* What is free at the end of the heap is less than a page now. */
    const uintptr_t end = (uintptr_t)sbrk(0) - (size_t)sysconf(_SC_PAGESIZE);
    while (size > FINE && plug(size, end))
        size /= 2;
    while (size > SMALLEST && plug(size, end))
        size -= STEP;
}
