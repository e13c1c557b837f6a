/* SPDX-License-Identifier: MIT */
/* Deadlines in order. A node's children hang on `child` and chain through `next`; `link` points to
 * the pointer that points to the node, so any node can be cut out. */
#include "loop/heap.h"

#include <stddef.h>

/* Joins two heaps of which neither root has siblings; both may be NULL. */
static struct loop_timer *meld(struct loop_timer *a, struct loop_timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->at_us < a->at_us) {
        struct loop_timer *t = a;
        a = b;
        b = t;
    }
    b->next = a->child;
    if (b->next)
        b->next->link = &b->next;
    b->link = &a->child;
    a->child = b;
    return a;
}

static void set_root(struct heap *h, struct loop_timer *root)
{
    h->root = root;
    if (root) {
        root->next = NULL;
        root->link = &h->root;
    }
}

/* Joins a chain of siblings in two passes: pairs from the left, then all from the right. */
static struct loop_timer *meld_siblings(struct loop_timer *first)
{
    struct loop_timer *pairs = NULL;

    while (first) {
        struct loop_timer *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = NULL;
        if (b)
            b->next = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }

    struct loop_timer *all = NULL;
    while (pairs) {
        struct loop_timer *rest = pairs->next;
        pairs->next = NULL;
        all = meld(all, pairs);
        pairs = rest;
    }
    return all;
}

void heap_put(struct heap *h, struct loop_timer *t)
{
    t->child = NULL;
    t->next = NULL;
    set_root(h, meld(h->root, t));
}

void heap_remove(struct heap *h, struct loop_timer *t)
{
    if (!t->link)
        return;

    struct loop_timer *rest = meld_siblings(t->child);
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    t->link = NULL;
    t->child = NULL;
    t->next = NULL;
    set_root(h, meld(h->root, rest));
}
