/* SPDX-License-Identifier: MIT */
/* Open addressing with linear probing and tombstones; grows at three quarters. For names of vassals
 * and options: keys come from files of trusted owners, so FNV-1a serves. */
#include "base/hash.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct hash_slot {
    const char *key; /* NULL: never used */
    void *value;     /* NULL with a key: removed */
};

static size_t hash_of(const char *key)
{
    uint64_t h = 0xcbf29ce484222325ULL;

    for (; *key; key++)
        h = (h ^ (uint8_t)*key) * 0x100000001b3ULL;
    return (size_t)(h ^ (h >> 32));
}

void hash_done(struct hash *h)
{
    free(h->slots);
    *h = (struct hash){0};
}

static struct hash_slot *find(const struct hash *h, const char *key)
{
    if (h->n_slots == 0)
        return NULL;

    size_t mask = h->n_slots - 1;
    for (size_t i = hash_of(key) & mask; h->slots[i].key; i = (i + 1) & mask)
        if (h->slots[i].value && strcmp(h->slots[i].key, key) == 0)
            return &h->slots[i];
    return NULL;
}

void *hash_get(const struct hash *h, const char *key)
{
    const struct hash_slot *slot = find(h, key);

    return slot ? slot->value : NULL;
}

/* Puts into a table that has room and does not know @key. */
static void insert(struct hash *h, const char *key, void *value)
{
    size_t mask = h->n_slots - 1;
    size_t i = hash_of(key) & mask;

    while (h->slots[i].value)
        i = (i + 1) & mask;
    if (!h->slots[i].key)
        h->n_used++;
    h->slots[i] = (struct hash_slot){.key = key, .value = value};
    h->n_live++;
}

static int resize(struct hash *h)
{
    struct hash bigger = {.n_slots = 16};

    while (bigger.n_slots < 2 * (h->n_live + 1))
        bigger.n_slots *= 2;
    bigger.slots = calloc(bigger.n_slots, sizeof(*bigger.slots));
    if (!bigger.slots)
        return -ENOMEM;
    for (size_t i = 0; i < h->n_slots; i++)
        if (h->slots[i].value)
            insert(&bigger, h->slots[i].key, h->slots[i].value);
    free(h->slots);
    *h = bigger;
    return 0;
}

int hash_put(struct hash *h, const char *key, void *value)
{
    assert(value);

    if (find(h, key))
        return -EEXIST;
    if (4 * (h->n_used + 1) > 3 * h->n_slots) {
        int r = resize(h);
        if (r < 0)
            return r;
    }
    insert(h, key, value);
    return 0;
}

void *hash_remove(struct hash *h, const char *key)
{
    static const char removed[] = "";
    struct hash_slot *slot = find(h, key);

    if (!slot)
        return NULL;
    void *value = slot->value;
    *slot = (struct hash_slot){.key = removed};
    h->n_live--;
    return value;
}

void *hash_next(const struct hash *h, size_t *pos)
{
    while (*pos < h->n_slots) {
        void *value = h->slots[(*pos)++].value;
        if (value)
            return value;
    }
    return NULL;
}
