/* SPDX-License-Identifier: MIT */
/* A chain of blocks. A piece comes from the newest block; when it does not fit, a new block of at
 * least twice the size is chained. Reset keeps the largest (newest) block, so that a connection's
 * second request usually allocates nothing. */
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK_BYTES 4096
#define KEPT_BLOCK_BYTES  ((size_t)64 * 1024) /* larger ones are given back at reset */

struct arena_block {
    struct arena_block *older;
    size_t size;
    max_align_t data[];
};

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t align = _Alignof(max_align_t);

    if (size > SIZE_MAX / 4)
        abort();
    size = (size + align - 1) & ~(align - 1);
    if (!a->block || a->block->size - a->used < size) {
        size_t room = MAX(a->block ? 2 * a->block->size : (size_t)FIRST_BLOCK_BYTES, size);
        struct arena_block *block = malloc(sizeof(*block) + room);
        if (!block) {
            (void)fputs("out of memory in a request\n", stderr);
            abort();
        }
        block->older = a->block;
        block->size = room;
        a->block = block;
        a->used = 0;
    }
    void *piece = (char *)a->block->data + a->used;
    a->used += size;
    return piece;
}

char *arena_dup(struct arena *a, const void *data, size_t len)
{
    char *copy = arena_alloc(a, len + 1);

    if (len > 0)
        memcpy(copy, data, len);
    copy[len] = '\0';
    return copy;
}

static void free_chain(struct arena_block *block)
{
    while (block) {
        struct arena_block *older = block->older;
        free(block);
        block = older;
    }
}

void arena_reset(struct arena *a)
{
    a->used = 0;
    if (!a->block)
        return;
    if (a->block->size > KEPT_BLOCK_BYTES) {
        arena_done(a);
        return;
    }
    free_chain(a->block->older);
    a->block->older = NULL;
}

void arena_done(struct arena *a)
{
    free_chain(a->block);
    *a = (struct arena){0};
}
