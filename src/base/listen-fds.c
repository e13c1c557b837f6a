/* SPDX-License-Identifier: MIT */
/* The environment is asked each time: a reload finds what the start has found. Variables that are
 * meant for another process mean nothing here: children inherit them. */
#include "base/listen-fds.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_FD 3
#define MAX_FDS  1024

/* The number in a variable, or -1. */
static long number(const char *variable)
{
    const char *text = getenv(variable);
    char *end = NULL;

    if (!text || *text < '0' || *text > '9')
        return -1;
    long n = strtol(text, &end, 10);
    return *end == '\0' ? n : -1;
}

/* How many descriptors were passed to the process @pid. */
static int count(pid_t pid)
{
    long n = number("LISTEN_FDS");

    return number("LISTEN_PID") == pid && n > 0 && n <= MAX_FDS ? (int)n : 0;
}

/* Goes on with a list of what is there: "fd://3 (web), fd://4 (admin)". */
static void append(char *text, size_t size, int fd, const char *name, size_t len)
{
    size_t used = strlen(text);

    (void)snprintf(text + used, size - used, len > 0 ? "%sfd://%d (%.*s)" : "%sfd://%d",
                   used > 0 ? ", " : "", fd, (int)len, name);
}

static int refuse(const char *name, int n, const char *all, struct errmsg *err)
{
    const char *pid = getenv("LISTEN_PID");

    if (n > 0)
        return errmsg_set(err, -ENOENT, "no descriptor called '%.200s' was passed; there are: %s",
                          name, all);
    if (pid && number("LISTEN_PID") != getpid())
        return errmsg_set(err, -ENOENT,
                          "no descriptor called '%.200s' was passed to this process, which is %d: "
                          "LISTEN_PID is '%.20s'",
                          name, (int)getpid(), pid);
    return errmsg_set(err, -ENOENT,
                      "no descriptor called '%.200s' was passed, nor any other (LISTEN_FDS)", name);
}

int listen_fds_find(const char *name, struct errmsg *err)
{
    const int n = count(getpid());
    const char *at = getenv("LISTEN_FDNAMES");
    char all[512] = "", same[256] = "";
    int n_same = 0, found = -1;

    for (int fd = FIRST_FD; fd < FIRST_FD + n; fd++) {
        size_t len = at ? strcspn(at, ":") : 0;
        append(all, sizeof(all), fd, at, len);
        if (at && len == strlen(name) && memcmp(at, name, len) == 0) {
            append(same, sizeof(same), fd, "", 0);
            found = fd;
            n_same++;
        }
        at = at && at[len] != '\0' ? at + len + 1 : NULL;
    }
    if (n_same > 1)
        return errmsg_set(err, -ENOTUNIQ, "'%.200s' is the name of several: say one of %s", name,
                          same);
    return n_same == 1 ? found : refuse(name, n, all, err);
}

int listen_fds_inherit(pid_t from)
{
    char pid[16];

    if (count(from) == 0)
        return 0;
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    return setenv("LISTEN_PID", pid, 1) < 0 ? -errno : 0;
}
