/* SPDX-License-Identifier: MIT */
/* "Did you mean ...?": the number of typing mistakes between two names (a letter too much, missing,
 * wrong, or two swapped; Damerau-Levenshtein in its optimal string alignment form).
 *
 * A third of the letters may be wrong; beyond that a suggestion is noise. Names of 64 bytes or more
 * are never suggested, which bounds the work. */
#include "conf/nearest.h"

#include <string.h>

#include "base/macro.h"

#define NAME_MAX_BYTES sizeof(((struct nearest *)0)->name)

static char fold(char c)
{
    return (char)(c == '_' ? '-' : c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* Both shorter than NAME_MAX_BYTES. Three rows of the usual matrix are enough. */
static unsigned distance(const char *a, size_t n_a, const char *b, size_t n_b)
{
    unsigned rows[3][NAME_MAX_BYTES] = {0};

    for (size_t j = 0; j <= n_b; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n_a; i++) {
        unsigned *row = rows[i % 3];
        const unsigned *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= n_b; j++) {
            unsigned wrong = fold(a[i - 1]) != fold(b[j - 1]);
            row[j] = MIN(above[j], row[j - 1]) + 1;
            row[j] = MIN(row[j], above[j - 1] + wrong);
            if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
                fold(a[i - 2]) == fold(b[j - 1]))
                row[j] = MIN(row[j], above2[j - 2] + 1);
        }
    }
    return rows[n_a % 3][n_b];
}

void nearest_start(struct nearest *n, const char *wanted)
{
    size_t len = strlen(wanted);

    /* One more than what is accepted, so that only better ones count. */
    *n = (struct nearest){.wanted = wanted, .distance = (unsigned)MAX(len / 3, (size_t)1) + 1};
}

void nearest_offer(struct nearest *n, const char *name, size_t len)
{
    size_t n_wanted = strlen(n->wanted);

    if (len < 2 || len >= NAME_MAX_BYTES || n_wanted >= NAME_MAX_BYTES)
        return;

    unsigned d = distance(n->wanted, n_wanted, name, len);
    if (d >= n->distance)
        return;
    n->distance = d;
    memcpy(n->name, name, len);
    n->name[len] = '\0';
}
