/* SPDX-License-Identifier: MIT */
#pragma once

#include <stddef.h>

/* Keeps the candidate that is most like a mistyped name. */
struct nearest {
    const char *wanted;
    unsigned distance; /* of the best so far */
    char name[64];     /* the best so far, or "" */
};

/* Starts a search for @wanted, which stays the caller's and must outlive it. */
void nearest_start(struct nearest *n, const char *wanted);

/* Offers name[0 .. len). */
void nearest_offer(struct nearest *n, const char *name, size_t len);
