/* SPDX-License-Identifier: MIT */
#include "worker/sources.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/family.h"
#include "ipc/message.h"

struct telling {
    int fd;
    bool wait;
    size_t len;
    char lines[MESSAGE_MAX_BYTES];
};

static void flush(struct telling *t)
{
    const struct message m = {.type = FAMILY_SOURCES, .data = t->lines, .len = t->len};
    struct pollfd p = {.fd = t->fd, .events = POLLOUT};
    int r = t->len > 0 ? message_send(t->fd, &m) : 0;

    while (r == -EAGAIN && t->wait) {
        (void)poll(&p, 1, -1); /* EINTR: look again */
        r = message_send(t->fd, &m);
    }
    if (r < 0)
        (void)log_errno(LOG_WARNING, r, "changes of some files will not be seen");
    t->len = 0;
}

static void add(void *data, const char *path)
{
    struct telling *t = data;
    char absolute[PATH_MAX] = "";

    if (*path != '/') { /* the master may be elsewhere */
        if (!getcwd(absolute, sizeof(absolute)))
            return;
        size_t used = strlen(absolute);
        (void)snprintf(absolute + used, sizeof(absolute) - used, "/%s", path);
        path = absolute;
    }
    char line[PATH_MAX + 64];
    struct stat st = {0};
    if (stat(path, &st) < 0 || strchr(path, '\n'))
        return; /* no file that is edited */
    int len = snprintf(line, sizeof(line), "%lld.%09ld %s\n", (long long)st.st_mtim.tv_sec,
                       st.st_mtim.tv_nsec, path);
    if (len < 0 || (size_t)len >= sizeof(line) || (size_t)len > sizeof(t->lines))
        return; /* too long a path */
    if (t->len + (size_t)len > sizeof(t->lines))
        flush(t);
    memcpy(t->lines + t->len, line, (size_t)len);
    t->len += (size_t)len;
}

bool sources_tell(const struct apps *apps, int fd, bool wait)
{
    struct telling t = {.fd = fd, .wait = wait};

    bool wanted = apps_sources(apps, add, &t);
    flush(&t);
    return wanted;
}
