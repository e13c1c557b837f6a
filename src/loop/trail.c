/* SPDX-License-Identifier: MIT */
/* A path, name by name. The names that matter to who watches a path are the links on the way (one
 * of them may be pointed elsewhere), the last one, and the first that is missing (it may appear).
 * Plain directories in the middle are passed over: watching / or /tmp would mean to be woken by
 * everybody. Called by places.c. */
#include "loop/trail.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LINKS 40 /* as the kernel has it */

struct walk {
    char real[PATH_MAX]; /* where we are; no links, no slash at the end but for the root's */
    char rest[PATH_MAX]; /* what is still to be followed */
};

static int set(char *to, const char *first, const char *slash, const char *second)
{
    char text[PATH_MAX];
    int n = snprintf(text, sizeof(text), "%s%s%s", first, slash, second);

    if (n < 0 || (size_t)n >= sizeof(text))
        return -ENAMETOOLONG;
    memcpy(to, text, (size_t)n + 1);
    return 0;
}

/* Moves the first name of w->rest to @name; false when nothing is left. */
static bool next_name(struct walk *w, char name[PATH_MAX])
{
    const char *start = w->rest + strspn(w->rest, "/");
    size_t len = strcspn(start, "/");

    if (len == 0)
        return false;
    memcpy(name, start, len);
    name[len] = '\0';
    start += len;
    start += strspn(start, "/");
    memmove(w->rest, start, strlen(start) + 1);
    return true;
}

static void go_up(struct walk *w)
{
    char *slash = strrchr(w->real, '/');

    slash[slash == w->real] = '\0';
}

/* Puts what the link @at points to in front of the rest. */
static int follow_link(struct walk *w, const char *at)
{
    char target[PATH_MAX];
    ssize_t n = readlink(at, target, sizeof(target) - 1);

    if (n < 0)
        return -errno;
    target[n] = '\0';
    if (target[0] == '/')
        memcpy(w->real, "/", 2);
    return set(w->rest, target, "/", w->rest);
}

int trail_walk(const char *path, trail_fn *fn, void *data)
{
    struct walk w = {.real = "/"};
    char name[PATH_MAX], at[PATH_MAX];
    int n_links = 0;
    int r = 0;

    if (path[0] != '/' && !getcwd(w.real, sizeof(w.real)))
        return -errno;
    r = set(w.rest, path, "", "");
    while (r >= 0 && next_name(&w, name)) {
        struct stat st;

        if (strcmp(name, ".") == 0)
            continue;
        if (strcmp(name, "..") == 0) {
            go_up(&w);
            continue;
        }
        r = set(at, w.real, w.real[1] ? "/" : "", name);
        if (r < 0)
            return r;
        if (lstat(at, &st) < 0)
            return fn(data, TRAIL_MISSING, w.real, name);
        if (S_ISLNK(st.st_mode)) {
            r = ++n_links > MAX_LINKS ? -ELOOP : fn(data, TRAIL_LINK, w.real, name);
            if (r >= 0)
                r = follow_link(&w, at);
            continue;
        }
        if (!w.rest[0])
            return fn(data, TRAIL_END, w.real, name);
        r = set(w.real, at, "", "");
    }
    return r;
}
