/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

#include "base/macro.h"

/* A table from strings to pointers. Neither keys nor values belong to it: a key is usually a member
 * of its value. All zero is an empty table. */
struct hash {
    struct hash_slot *slots;
    size_t n_slots, n_used, n_live;
};

void hash_done(struct hash *h);
void *hash_get(const struct hash *h, const char *key);

/* @value is not NULL. Returns 0, -EEXIST if the key is there already, or -ENOMEM. */
int hash_put(struct hash *h, const char *key, void *value) _must_check_;

/* Returns the value that was there, or NULL. */
void *hash_remove(struct hash *h, const char *key);

/* Walks the table in no order: start with *@pos = 0; NULL at the end. Removing the entry that was
 * returned last is allowed, putting is not. */
void *hash_next(const struct hash *h, size_t *pos);
